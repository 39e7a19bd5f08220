"""Exact decimal arithmetic on steps: what would have to be rounded raises, whatever the thread's context."""

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

_EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])

add = _EXACT.add
subtract = _EXACT.subtract
multiply = _EXACT.multiply


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value` (not negative), with its decimals."""
    return _EXACT.multiply(_EXACT.divide_int(value, step), step)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value` (not negative), with its decimals."""
    below = floor_to(value, step)
    return below if below == value else _EXACT.add(below, step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return not _EXACT.remainder(value, step)


def affordable(money: Decimal, price: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` whose cost at `price` is not above `money`."""
    return _EXACT.multiply(_EXACT.divide_int(money, _EXACT.multiply(price, step)), step)


def steps_in(value: Decimal, step: Decimal) -> int:
    """How many whole steps fit into `value`."""
    return int(_EXACT.divide_int(value, step))
