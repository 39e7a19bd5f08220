"""Fills become money: the only place where the amounts of an order or a position change."""

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal

from fsm.records import Fill, OrderRecord, PositionRecord
from fsm.values import MONEY, ZERO, Leg, base_of, quote_of


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    return MONEY.multiply(MONEY.divide(value, step).to_integral_value(ROUND_DOWN), step)


def book_on_order(order: OrderRecord, fills: Iterable[Fill]) -> None:
    """Adds fills that were not booked before. Fees in a third coin stay with their fills."""
    for fill in fills:
        order.filled = MONEY.add(order.filled, fill.amount)
        order.cost = MONEY.add(order.cost, MONEY.multiply(fill.price, fill.amount))
        if fill.fee_currency == base_of(fill.symbol):
            order.fee_base = MONEY.add(order.fee_base, fill.fee)
        elif fill.fee_currency == quote_of(fill.symbol):
            order.fee_quote = MONEY.add(order.fee_quote, fill.fee)


def book_on_position(position: PositionRecord, leg: str, fills: Iterable[Fill]) -> None:
    """Adds fills of one leg; what had been left as dust counts as held again until the result is booked."""
    for fill in fills:
        cost = MONEY.multiply(fill.price, fill.amount)
        if leg == Leg.ENTRY:
            position.bought = MONEY.add(position.bought, fill.amount)
            position.spent = MONEY.add(position.spent, cost)
        else:
            position.sold = MONEY.add(position.sold, fill.amount)
            position.received = MONEY.add(position.received, cost)
        if fill.fee_currency == base_of(fill.symbol):
            position.fee_base = MONEY.add(position.fee_base, fill.fee)
        elif fill.fee_currency == quote_of(fill.symbol):
            position.fee_quote = MONEY.add(position.fee_quote, fill.fee)
    held = MONEY.subtract(MONEY.subtract(position.bought, position.sold), position.fee_base)
    position.quantity, position.dust = held, ZERO


def book_result(position: PositionRecord, at_ms: int) -> None:
    """Ends the books of a deal: what is still held is dust, and its cost is part of the result."""
    position.dust, position.quantity = position.quantity, ZERO
    earned = MONEY.subtract(position.received, position.spent)
    position.realized_pnl = MONEY.subtract(earned, position.fee_quote)
    position.closed_at_ms = at_ms
