"""What a market demands of numbers, from ccxt's market structure; every limit in it may be missing."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fsm.values import ZERO
from services.exchanges.ccxt_exchange.parsing import Unreadable, number
from services.exchanges.exact import ceil_to, floor_to
from services.messages import MarketRules

DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE = 2, 3, 4
"""ccxt's ways to write a precision: digits after the point, digits that count, or the step itself."""

FINEST = Decimal("1E-8")
"""The step of a market that names none."""


def rules_of(market: Mapping[str, Any], mode: int, price: Decimal | None = None) -> MarketRules:
    """`price` is needed where prices have a number of digits that count: their step is that of the present price.

    A limit of zero is none, as Binance writes a filter that is switched off.
    Raises Unreadable.
    """
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    amounts, costs = limits.get("amount") or {}, limits.get("cost") or {}
    at_market, prices = limits.get("market") or {}, limits.get("price") or {}
    symbol = str(market["symbol"])
    return MarketRules(
        symbol=symbol,
        amount_step=step_of(precision.get("amount"), mode, None, f"{symbol} precision.amount"),
        price_step=step_of(precision.get("price"), mode, price, f"{symbol} precision.price"),
        amount_min=max(_least(amounts, symbol, "amount"), _least(at_market, symbol, "market")),
        cost_min=_least(costs, symbol, "cost"),
        price_min=_least(prices, symbol, "price"),
        price_max=number(prices.get("max"), f"{symbol} limits.price.max") or None,
    )


def step_of(precision: object, mode: int, reference: Decimal | None, what: str) -> Decimal:
    """The step between two numbers that the market takes, above zero.

    With digits that count it is the step at `reference`; without one, that of a number below one.
    """
    written = number(precision, what)
    if written is None or (not written and mode == TICK_SIZE):
        return FINEST
    if mode == TICK_SIZE:
        if written < 0:
            raise Unreadable(f"{what} is {written}, below zero")
        return written
    if written != int(written):
        raise Unreadable(f"{what} is {written}, not a number of digits")
    if mode == SIGNIFICANT_DIGITS:
        leading = -1 if reference is None else reference.adjusted()
        return _power_of_ten(leading - int(written) + 1)
    if mode == DECIMAL_PLACES:
        return _power_of_ten(-int(written))
    raise Unreadable(f"{what} is written in a way ({mode}) that is not known")


def needs_price(mode: int) -> bool:
    return mode == SIGNIFICANT_DIGITS


def snapped(price: Decimal, side: str, step: Decimal) -> Decimal:
    """On the step, and not worse for us: a buy goes down, a sell up."""
    return floor_to(price, step) if side == "buy" else ceil_to(price, step)


def _least(limits: Mapping[str, Any], symbol: str, name: str) -> Decimal:
    return number(limits.get("min"), f"{symbol} limits.{name}.min") or ZERO


def _power_of_ten(exponent: int) -> Decimal:
    return Decimal(f"1E{exponent}")
