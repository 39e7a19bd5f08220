"""A paper exchange's memory: book, trades, balances, market in one SQLite file that outlives the engine."""

import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from fsm.records import Fill
from fsm.values import ZERO
from services.exchanges import paper_schema as schema
from services.exchanges.book_order import BookOrder
from services.exchanges.exact import add, subtract
from services.exchanges.matching import Numbers
from services.messages import Balance


class ExchangeFileError(Exception):
    """The paper exchange's file cannot be used; the message names the file, the fault and the remedy."""


@dataclass(frozen=True, slots=True)
class SavedExchange:
    """What a file holds when it is opened: everything that is not over."""

    balances: dict[str, Balance]
    open_orders: list[BookOrder]
    numbers: Numbers
    markets: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Audit:
    """The whole book as it stands in the file. `deposits` is what the account began with."""

    orders: list[BookOrder]
    balances: dict[str, Balance]
    deposits: dict[str, Decimal]

    @property
    def fills(self) -> list[Fill]:
        return [fill for order in self.orders for fill in order.fills]

    def differences(self) -> list[str]:
        """Where deposits, fills, locks and balances disagree; empty when the book is whole."""
        totals, used = dict(self.deposits), dict.fromkeys(self.balances, ZERO)
        for order in self.orders:
            for fill in order.fills:
                sign = 1 if order.is_buy else -1
                cost = fill.amount * fill.price
                totals[order.base] = add(totals.get(order.base, ZERO), sign * fill.amount)
                totals[order.quote] = subtract(totals.get(order.quote, ZERO), sign * cost)
                totals[fill.fee_currency] = subtract(totals.get(fill.fee_currency, ZERO), fill.fee)
            used[order.lock_currency] = add(used.get(order.lock_currency, ZERO), order.locked)
        found = []
        for currency in sorted(totals.keys() | used.keys()):
            balance = self.balances.get(currency, Balance())
            total = add(balance.free, balance.used)
            if total != totals.get(currency, ZERO):
                found.append(
                    f"{currency}: total {total}, deposits and fills say {totals.get(currency, ZERO)}"
                )
            if balance.used != used.get(currency, ZERO):
                found.append(f"{currency}: used {balance.used}, open orders lock {used.get(currency, ZERO)}")
        return found


class ExchangeFile:
    """One open file with one writer: a lock beside it, released by the kernel at death, refuses a second."""

    def __init__(self, path: Path, deposits: Mapping[str, Decimal]) -> None:
        """Creates the file with `deposits` when there is none; an existing one keeps the balances it has."""
        self.path = path
        self._lock = _lock(path)
        try:
            self._connection = _open(path, deposits)
        except BaseException:
            self._lock.close()
            raise

    def load(self) -> SavedExchange:
        """Raises ExchangeFileError when the open orders and what is locked for them disagree."""
        with self._named_errors():
            balances = schema.read_balances(self._connection)
            orders = schema.read_orders(self._connection, schema.OPEN_ORDERS)
            row = self._connection.execute(
                "SELECT last_order, last_trade, random_state FROM numbers"
            ).fetchone()
            markets = self._connection.execute("SELECT symbol, state FROM markets").fetchall()
            saved = SavedExchange(
                balances=balances,
                open_orders=orders,
                numbers=Numbers(row[0], row[1], int(row[2])),
                markets={symbol: json.loads(state) for symbol, state in markets},
            )
        locked = dict.fromkeys(balances, ZERO)
        for order in orders:
            locked[order.lock_currency] = add(locked[order.lock_currency], order.locked)
        for currency, balance in balances.items():
            if balance.used != locked[currency]:
                raise ExchangeFileError(
                    f"{self.path}: {balance.used} {currency} are locked and the open orders lock "
                    f"{locked[currency]}; restore the file from a copy or move it away to begin anew"
                )
        return saved

    def save(
        self,
        orders: Iterable[BookOrder],
        balances: Mapping[str, Balance],
        numbers: Numbers | None,
        markets: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """One transaction: all of it or nothing."""
        connection = self._connection
        with self._named_errors():
            connection.execute("BEGIN IMMEDIATE")
            try:
                for order in orders:
                    connection.execute(schema.SAVE_ORDER, schema.order_row(order))
                    rows = [schema.fill_row(order, fill) for fill in order.fills]
                    connection.executemany(schema.SAVE_FILL, rows)
                for currency, balance in balances.items():
                    connection.execute(schema.SAVE_BALANCE, (currency, str(balance.free), str(balance.used)))
                if numbers is not None:
                    values = (numbers.last_order, numbers.last_trade, str(numbers.random_state))
                    connection.execute(schema.SAVE_NUMBERS, values)
                for symbol, state in markets.items():
                    connection.execute(schema.SAVE_MARKET, (symbol, json.dumps(state)))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def find_order(self, client_order_id: str, symbol: str) -> BookOrder | None:
        """The latest order of this id, open or ended."""
        with self._named_errors():
            found = schema.read_orders(self._connection, schema.ORDER_BY_CLIENT_ID, client_order_id, symbol)
        return found[0] if found else None

    def close(self) -> None:
        self._connection.close()
        self._lock.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise ExchangeFileError(f"{self.path}: {error}; check the disk, or move the file away") from error


def audit(path: str | Path) -> Audit:
    """Reads a paper exchange's file and changes nothing; also while it runs, and after it was killed.

    Raises ExchangeFileError for a file that is missing or not a paper exchange's.
    """
    try:
        uri = f"{Path(path).resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            _check(connection, Path(path))
            connection.execute("BEGIN")
            return Audit(
                schema.read_orders(connection, schema.ALL_ORDERS),
                schema.read_balances(connection),
                schema.read_deposits(connection),
            )
    except sqlite3.Error as error:
        raise ExchangeFileError(f"{path}: {error}; name the file of a paper exchange") from error


def _lock(path: Path) -> IO[bytes]:
    try:
        held = path.with_name(f"{path.name}.lock").open("ab")
    except OSError as error:
        raise ExchangeFileError(
            f"{path}: {error.strerror}; name a directory that can be written to"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise ExchangeFileError(f"{path}: another process has this exchange open; stop it first") from error
    return held


def _open(path: Path, deposits: Mapping[str, Decimal]) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise ExchangeFileError(f"{path}: {error}; name a file that can be opened") from error
    try:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            _create(connection, deposits)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error as error:
        connection.close()
        raise ExchangeFileError(
            f"{path}: {error}; name the file of a paper exchange, or a new one"
        ) from error
    except ExchangeFileError:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, deposits: Mapping[str, Decimal]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in schema.CREATE:
        connection.execute(statement)
    for currency, amount in deposits.items():
        connection.execute("INSERT INTO deposits VALUES (?, ?)", (currency, str(amount)))
        connection.execute(schema.SAVE_BALANCE, (currency, str(amount), "0"))
    connection.execute(f"PRAGMA user_version = {schema.VERSION}")
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise ExchangeFileError(
            f"{path}: this is a database of something else; name a paper exchange's or a new file"
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != schema.VERSION:
        raise ExchangeFileError(
            f"{path}: version {version}, and {schema.VERSION} is known here; use the program that wrote it"
        )
    fault = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise ExchangeFileError(
            f"{path}: damaged: {fault}; restore it from a copy or move it away to begin anew"
        )
