"""From ccxt's order and trade structures to reports and fills: exact numbers, our client ids, and every fee."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from loguru import logger

from fsm.records import Fill
from fsm.values import MONEY, ZERO, base_of, quote_of
from services.messages import OrderReport, OrderRequest, OrderStatus


class Unreadable(ValueError):
    """What the exchange sent lacks something that cannot be done without; the message names it."""


_STATUSES = {
    "open": OrderStatus.OPEN,
    "canceling": OrderStatus.OPEN,
    "closed": OrderStatus.CLOSED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}


def number(value: object, what: str) -> Decimal | None:
    """None for what is missing. Raises Unreadable for what is no finite number."""
    if value is None or value == "":
        return None
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise Unreadable(f"{what} is {value!r}, not a number") from None
    if not exact.is_finite():
        raise Unreadable(f"{what} is {value!r}, not a finite number")
    return exact


def client_id_of(order: Mapping[str, Any], prefix: str = "") -> str:
    """The name we gave the order; empty for one that somebody else placed without a name.

    Binance answers a cancel under the cancel's own name, with the order's beside it. Kraken's "0" is no name.
    """
    info = order.get("info")
    original = info.get("origClientOrderId") if isinstance(info, Mapping) else None
    name = str(original or order.get("clientOrderId") or "")
    return "" if name == "0" else name.removeprefix(prefix)


def report_of(
    order: Mapping[str, Any],
    *,
    prefix: str = "",
    client_order_id: str = "",
    symbol: str = "",
    trades: Iterable[Mapping[str, Any]] | None = None,
    is_listed: bool = False,
) -> OrderReport:
    """What a ccxt order says. `client_order_id` and `symbol` stand in where the exchange does not repeat them.

    `trades` are the order's own unless given; those without an id, a price or a fee are left out, since they could
    be booked twice or short: they are asked for. `is_listed` adds what was ordered. Raises Unreadable.
    """
    name = client_id_of(order, prefix) or client_order_id
    market = str(order.get("symbol") or symbol)
    filled = number(order.get("filled"), "filled") or ZERO
    given = order.get("trades") or () if trades is None else trades
    at_ms = order.get("lastTradeTimestamp") or order.get("timestamp")
    fills = tuple(
        fill
        for trade in given
        if (fill := fill_of(trade, name, market, str(order.get("side") or ""), at_ms)) is not None
    )
    identity = order.get("id")
    return OrderReport(
        client_order_id=name,
        symbol=market,
        exchange_order_id=None if identity in (None, "") else str(identity),
        status=_status(order, filled),
        filled=max(filled, sum_of(fills)),
        fills=fills,
        request=_request(order, name, market) if is_listed else None,
    )


def fill_of(
    trade: Mapping[str, Any], client_order_id: str, symbol: str, side: str = "", at_ms: int | None = None
) -> Fill | None:
    """One trade. None when it has no id, amount, price, side, time or fee of its own. Raises Unreadable."""
    identity = trade.get("id")
    amount, price = number(trade.get("amount"), "amount"), number(trade.get("price"), "price")
    fee = _fee(trade, str(trade.get("symbol") or symbol))
    when, which = trade.get("timestamp") or at_ms, str(trade.get("side") or side)
    if identity in (None, "") or not amount or not price or fee is None or when is None or not which:
        return None
    return Fill(
        id=str(identity),
        client_order_id=client_order_id,
        symbol=str(trade.get("symbol") or symbol),
        side=which,
        amount=amount,
        price=price,
        fee=fee[0],
        fee_currency=fee[1],
        at_ms=int(when),
    )


def _fee(trade: Mapping[str, Any], symbol: str) -> tuple[Decimal, str] | None:
    """The fee and its coin. Some exchanges write one trade's fee in two coins: a fill has room for one.

    The coin of the market is the one that counts: it decides what can be sold.
    """
    listed = trade.get("fees") or ([trade["fee"]] if trade.get("fee") else [])
    by_coin: dict[str, Decimal] = {}
    for entry in listed:
        cost, coin = number(entry.get("cost"), "fee"), str(entry.get("currency") or "")
        if cost is not None and (coin or not cost):
            by_coin[coin or quote_of(symbol)] = MONEY.add(by_coin.get(coin or quote_of(symbol), ZERO), cost)
    if not by_coin:
        return None
    paid = {coin: cost for coin, cost in by_coin.items() if cost}
    if not paid:
        return ZERO, next(iter(by_coin))
    ours = [coin for coin in paid if coin in (base_of(symbol), quote_of(symbol))]
    counted = next(iter(ours or paid))
    if len(paid) > 1:
        left_out = {coin: str(cost) for coin, cost in paid.items() if coin != counted}
        logger.bind(event="fee_left_out", trade=trade.get("id"), symbol=symbol, fees=left_out).warning(
            "fee_left_out"
        )
    return paid[counted], counted


def sum_of(fills: Iterable[Fill]) -> Decimal:
    """The coins of these fills together."""
    total = ZERO
    for fill in fills:
        total = MONEY.add(total, fill.amount)
    return total


def _status(order: Mapping[str, Any], filled: Decimal) -> OrderStatus:
    """Some answers name the order and nothing else: it is open then, as far as anybody knows."""
    known = _STATUSES.get(str(order.get("status")))
    if known is not None:
        return known
    amount = number(order.get("amount"), "amount")
    return OrderStatus.CLOSED if amount and filled >= amount else OrderStatus.OPEN


def _request(order: Mapping[str, Any], name: str, symbol: str) -> OrderRequest | None:
    amount = number(order.get("amount"), "amount")
    if amount is None:
        return None
    price = number(order.get("price"), "price")
    kind = str(order.get("type") or "limit")
    return OrderRequest(
        client_order_id=name,
        symbol=symbol,
        side=str(order.get("side") or ""),
        type=kind,
        amount=amount,
        price=None if kind == "market" else price,
    )
