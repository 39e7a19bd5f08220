"""Numbers and orders in the forms that Binance's spot API gives them."""

from decimal import Decimal
from typing import Any

from dirigent.rehearsal.desk import Desk, News
from dirigent.rehearsal.placed_order import PlacedOrder
from fsm.values import ZERO
from services.exchanges.exact import multiply

Json = dict[str, Any]

_DECIMALS = 8


def number(value: Decimal | None) -> str:
    """Eight decimals, or as many more as the value needs: never rounded."""
    if value is None:
        value = ZERO
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return format(value, f".{max(_DECIMALS, -exponent)}f")


def market_id(symbol: str) -> str:
    return symbol.replace("/", "")


def order_shape(order: PlacedOrder) -> Json:
    """An order as queries tell it: without fees or trades."""
    return {
        **_core(order),
        "stopPrice": number(ZERO),
        "icebergQty": number(ZERO),
        "time": order.placed_at_ms,
        "updateTime": order.updated_at_ms,
        "isWorking": True,
        "workingTime": order.placed_at_ms,
        "origQuoteOrderQty": number(order.new.quote_amount),
        "selfTradePreventionMode": "NONE",
    }


def created_shape(order: PlacedOrder, detail: str) -> Json:
    """The answer to a new order: `ACK`, `RESULT` or `FULL`."""
    named: Json = {
        "symbol": market_id(order.new.symbol),
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": order.new.client_order_id,
        "transactTime": order.updated_at_ms,
    }
    if detail == "ACK":
        return named
    shape = {
        **named,
        **_core(order),
        "origQuoteOrderQty": number(order.new.quote_amount),
        "workingTime": order.placed_at_ms,
        "selfTradePreventionMode": "NONE",
    }
    if detail == "FULL":
        shape["fills"] = [
            {
                "price": number(fill.price),
                "qty": number(fill.amount),
                "commission": number(fill.fee),
                "commissionAsset": fill.fee_currency,
                "tradeId": int(fill.id),
            }
            for fill in order.fills
        ]
    return shape


def cancelled_shape(order: PlacedOrder) -> Json:
    return {
        **_core(order),
        "origClientOrderId": order.new.client_order_id,
        "clientOrderId": order.cancel_id,
        "transactTime": order.updated_at_ms,
        "origQuoteOrderQty": number(order.new.quote_amount),
        "selfTradePreventionMode": "NONE",
    }


def trade_shapes(order: PlacedOrder) -> list[Json]:
    return [
        {
            "symbol": market_id(fill.symbol),
            "id": int(fill.id),
            "orderId": order.number,
            "orderListId": -1,
            "price": number(fill.price),
            "qty": number(fill.amount),
            "quoteQty": number(multiply(fill.amount, fill.price)),
            "commission": number(fill.fee),
            "commissionAsset": fill.fee_currency,
            "time": fill.at_ms,
            "isBuyer": order.book.is_buy,
            "isMaker": maker,
            "isBestMatch": True,
        }
        for fill, maker in zip(order.fills, order.makers, strict=True)
    ]


def execution_report(news: News) -> Json:
    """What happened to an order, with its numbers as they were then."""
    order, new = news.order, news.order.new
    fills = _fills_told(news)
    fill = order.fills[news.fill] if news.kind == "TRADE" else None
    filled = order.filled_after(fills)
    status = {
        "NEW": "NEW",
        "TRADE": "FILLED" if filled == new.amount else "PARTIALLY_FILLED",
    }.get(news.kind, news.kind)
    return {
        "e": "executionReport",
        "E": news.at_ms,
        "s": market_id(new.symbol),
        "c": order.cancel_id if news.kind == "CANCELED" else new.client_order_id,
        "S": new.side.upper(),
        "o": new.kind,
        "f": new.time_in_force,
        "q": number(new.amount),
        "p": number(new.price),
        "P": number(ZERO),
        "F": number(ZERO),
        "g": -1,
        "C": new.client_order_id if news.kind == "CANCELED" else "",
        "x": news.kind,
        "X": status,
        "r": "NONE",
        "i": order.number,
        "l": number(ZERO if fill is None else fill.amount),
        "z": number(filled),
        "L": number(ZERO if fill is None else fill.price),
        "n": "0" if fill is None else number(fill.fee),
        "N": None if fill is None else fill.fee_currency,
        "T": news.at_ms,
        "t": -1 if fill is None else int(fill.id),
        "I": order.number * 10 + fills,
        "w": status in ("NEW", "PARTIALLY_FILLED"),
        "m": fill is not None and order.makers[news.fill],
        "M": False,
        "O": order.placed_at_ms,
        "Z": number(order.quote_after(fills)),
        "Y": number(ZERO if fill is None else multiply(fill.amount, fill.price)),
        "Q": number(new.quote_amount),
        "W": order.placed_at_ms,
        "V": "NONE",
    }


def account_position(desk: Desk, currencies: set[str], at_ms: int) -> Json:
    """The balances that a piece of news has changed."""
    return {
        "e": "outboundAccountPosition",
        "E": at_ms,
        "u": at_ms,
        "B": [
            {"a": balance["asset"], "f": balance["free"], "l": balance["locked"]}
            for balance in balances_shape(desk)
            if balance["asset"] in currencies
        ],
    }


def balances_shape(desk: Desk) -> list[Json]:
    return [
        {"asset": currency, "free": number(balance.free), "locked": number(balance.used)}
        for currency, balance in sorted(desk.ledger.balances().items())
    ]


def _fills_told(news: News) -> int:
    if news.kind == "NEW":
        return 0
    return news.fill + 1 if news.kind == "TRADE" else len(news.order.fills)


def _core(order: PlacedOrder) -> Json:
    new = order.new
    return {
        "symbol": market_id(new.symbol),
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": new.client_order_id,
        "price": number(new.price),
        "origQty": number(new.amount),
        "executedQty": number(order.book.filled),
        "cummulativeQuoteQty": number(order.quote_filled),
        "status": order.status,
        "timeInForce": new.time_in_force,
        "type": new.kind,
        "side": new.side.upper(),
    }
