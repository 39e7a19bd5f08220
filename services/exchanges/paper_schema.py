"""The layout of a paper exchange's file, and how its rows become orders, fills and balances again."""

import sqlite3
from decimal import Decimal

from fsm.records import Fill
from services.exchanges.book_order import BookOrder
from services.messages import Balance, OrderStatus

APPLICATION_ID = 0x44495250
"""Marks the file as a paper exchange's, in SQLite's own header field."""
VERSION = 1

CREATE = (
    """CREATE TABLE deposits (currency TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT""",
    """CREATE TABLE balances (currency TEXT PRIMARY KEY, free TEXT NOT NULL, used TEXT NOT NULL) STRICT""",
    """CREATE TABLE orders (
        number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
        type TEXT NOT NULL, amount TEXT NOT NULL, price TEXT, fee_rate TEXT NOT NULL,
        fee_in_base INTEGER NOT NULL, lock_per_unit TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
        status TEXT NOT NULL, filled TEXT NOT NULL, reason TEXT NOT NULL, ended_at_ms INTEGER) STRICT""",
    """CREATE INDEX orders_by_client_order_id ON orders (client_order_id)""",
    """CREATE INDEX orders_open ON orders (number) WHERE status = 'open'""",
    """CREATE TABLE fills (
        number INTEGER PRIMARY KEY, order_number INTEGER NOT NULL REFERENCES orders (number),
        client_order_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, amount TEXT NOT NULL,
        price TEXT NOT NULL, fee TEXT NOT NULL, fee_currency TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT""",
    """CREATE INDEX fills_of_order ON fills (order_number)""",
    """CREATE TABLE markets (symbol TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT""",
    """CREATE TABLE numbers (
        id INTEGER PRIMARY KEY CHECK (id = 1), last_order INTEGER NOT NULL, last_trade INTEGER NOT NULL,
        random_state TEXT NOT NULL) STRICT""",
    """INSERT INTO numbers VALUES (1, 0, 0, '0')""",
)

SAVE_ORDER = """
    INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (number) DO UPDATE SET lock_per_unit = excluded.lock_per_unit, status = excluded.status,
        filled = excluded.filled, reason = excluded.reason, ended_at_ms = excluded.ended_at_ms"""
SAVE_FILL = "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO NOTHING"
SAVE_BALANCE = """
    INSERT INTO balances VALUES (?, ?, ?)
    ON CONFLICT (currency) DO UPDATE SET free = excluded.free, used = excluded.used"""
SAVE_MARKET = "INSERT INTO markets VALUES (?, ?) ON CONFLICT (symbol) DO UPDATE SET state = excluded.state"
SAVE_NUMBERS = "UPDATE numbers SET last_order = ?, last_trade = ?, random_state = ?"

_ORDER_COLUMNS = """number, client_order_id, symbol, side, type, amount, price, fee_rate, fee_in_base,
    lock_per_unit, created_at_ms, status, filled, reason, ended_at_ms"""
_FILL_COLUMNS = "number, client_order_id, symbol, side, amount, price, fee, fee_currency, at_ms"
OPEN_ORDERS = f"SELECT {_ORDER_COLUMNS} FROM orders WHERE status = 'open' ORDER BY number"
ALL_ORDERS = f"SELECT {_ORDER_COLUMNS} FROM orders ORDER BY number"
ORDER_BY_CLIENT_ID = f"""SELECT {_ORDER_COLUMNS} FROM orders
    WHERE client_order_id = ? AND symbol = ? ORDER BY number DESC LIMIT 1"""
FILLS_OF_ORDER = f"SELECT {_FILL_COLUMNS} FROM fills WHERE order_number = ? ORDER BY number"


def order_row(order: BookOrder) -> tuple[str | int | None, ...]:
    return (
        int(order.exchange_order_id),
        order.client_order_id,
        order.symbol,
        str(order.side),
        str(order.type),
        str(order.amount),
        None if order.price is None else str(order.price),
        str(order.fee_rate),
        int(order.fee_in_base),
        str(order.lock_per_unit),
        order.created_at_ms,
        str(order.status),
        str(order.filled),
        order.reason,
        order.ended_at_ms,
    )


def fill_row(order: BookOrder, fill: Fill) -> tuple[str | int, ...]:
    return (
        int(fill.id),
        int(order.exchange_order_id),
        fill.client_order_id,
        fill.symbol,
        str(fill.side),
        str(fill.amount),
        str(fill.price),
        str(fill.fee),
        fill.fee_currency,
        fill.at_ms,
    )


def read_orders(connection: sqlite3.Connection, sql: str, *values: str) -> list[BookOrder]:
    """Orders with their fills."""
    return [_order_from(connection, row) for row in connection.execute(sql, values).fetchall()]


def read_balances(connection: sqlite3.Connection) -> dict[str, Balance]:
    rows = connection.execute("SELECT currency, free, used FROM balances").fetchall()
    return {currency: Balance(Decimal(free), Decimal(used)) for currency, free, used in rows}


def read_deposits(connection: sqlite3.Connection) -> dict[str, Decimal]:
    rows = connection.execute("SELECT currency, amount FROM deposits").fetchall()
    return {currency: Decimal(amount) for currency, amount in rows}


def _order_from(connection: sqlite3.Connection, row: tuple[str, ...]) -> BookOrder:
    number, client_order_id, symbol, side, kind, amount, price, fee_rate, fee_in_base, lock_per_unit = row[
        :10
    ]
    created_at_ms, status, filled, reason, ended_at_ms = row[10:]
    fills = connection.execute(FILLS_OF_ORDER, (number,)).fetchall()
    return BookOrder(
        exchange_order_id=str(number),
        client_order_id=client_order_id,
        symbol=symbol,
        side=side,
        type=kind,
        amount=Decimal(amount),
        price=None if price is None else Decimal(price),
        fee_rate=Decimal(fee_rate),
        fee_in_base=bool(fee_in_base),
        lock_per_unit=Decimal(lock_per_unit),
        created_at_ms=int(created_at_ms),
        status=OrderStatus(status),
        filled=Decimal(filled),
        fills=[_fill_from(fill) for fill in fills],
        reason=reason,
        ended_at_ms=None if ended_at_ms is None else int(ended_at_ms),
    )


def _fill_from(row: tuple[str, ...]) -> Fill:
    number, client_order_id, symbol, side, amount, price, fee, fee_currency, at_ms = row
    return Fill(
        id=str(number),
        client_order_id=client_order_id,
        symbol=symbol,
        side=side,
        amount=Decimal(amount),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=fee_currency,
        at_ms=int(at_ms),
    )
