"""Whether every order's filled amount, cost and fees are the sums of its fills."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, DecimalException
from itertools import groupby
from typing import Any

from fsm.values import MONEY, ZERO, base_of, quote_of
from persistence.journal import BrokenChainError

_FILLS = """SELECT client_order_id, symbol, amount, price, fee, fee_currency FROM fills
    ORDER BY client_order_id, symbol, id"""
_ORDERS = """SELECT client_order_id, filled, cost, fee_base, fee_quote FROM orders ORDER BY client_order_id"""
_STRAY = """SELECT symbol, id, client_order_id FROM fills
    WHERE client_order_id NOT IN (SELECT client_order_id FROM orders) LIMIT 1"""
_NAMES = ("filled", "cost", "fee_base", "fee_quote")
Sums = tuple[Decimal, Decimal, Decimal, Decimal]
_NOTHING: Sums = (ZERO, ZERO, ZERO, ZERO)
_END: tuple[str, Iterator[Any]] = ("", iter(()))


def check_fills(connection: sqlite3.Connection) -> None:
    """Raises BrokenChainError at a fill without an order, or at the first order whose books and fills differ.

    Both tables are read in the order of their indexes, one row at a time. A fill's id, market, side and time,
    and a fee in a third coin, are in no sum: a change to them is not found.
    """
    _check_every_fill_has_its_order(connection)
    groups = groupby(connection.execute(_FILLS), key=lambda fill: str(fill[0]))
    ahead, fills = next(groups, _END)
    for name, *booked in connection.execute(_ORDERS):
        is_filled = ahead == name
        try:
            _compare(name, booked, _sums(fills) if is_filled else _NOTHING)
        except DecimalException as error:
            raise BrokenChainError(f"order {name}: an amount of it or of a fill is no number") from error
        if is_filled:
            ahead, fills = next(groups, _END)


def _check_every_fill_has_its_order(connection: sqlite3.Connection) -> None:
    """The foreign key holds for this engine's connections; other programs may leave it off."""
    stray = connection.execute(_STRAY).fetchone()
    if stray is not None:
        symbol, fill, order = stray
        raise BrokenChainError(f"fill {fill} of {symbol} is of order {order}, which is not in its table")


def _compare(order: str, booked: Sequence[str], sums: Sums) -> None:
    for field, text, total in zip(_NAMES, booked, sums, strict=True):
        if Decimal(text) != total:
            raise BrokenChainError(f"order {order}: {field} is {text} and its fills add up to {total}")


def _sums(fills: Iterable[tuple[str, str, str, str, str, str]]) -> Sums:
    filled, cost, fee_base, fee_quote = _NOTHING
    for _, symbol, amount, price, fee, currency in fills:
        filled = MONEY.add(filled, Decimal(amount))
        cost = MONEY.add(cost, MONEY.multiply(Decimal(price), Decimal(amount)))
        if currency == base_of(symbol):
            fee_base = MONEY.add(fee_base, Decimal(fee))
        elif currency == quote_of(symbol):
            fee_quote = MONEY.add(fee_quote, Decimal(fee))
    return filled, cost, fee_base, fee_quote
