"""The books at a past moment: every pair, permission, position and order as the journal says that it was then."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from fsm.commit import StoreError
from fsm.records import OrderRecord, PairRecord, PermissionRecord, PositionRecord, Record
from fsm.values import MONEY, ZERO, Side, base_of, quote_of
from persistence.files import reading
from persistence.fold import fold_until_entry, record_of
from persistence.journal import BrokenChainError
from persistence.subjects import SUBJECT_TABLES

_FIRST = "SELECT seq, at_ms FROM journal ORDER BY seq LIMIT 1"
_LAST = "SELECT seq, at_ms FROM journal ORDER BY seq DESC LIMIT 1"
_ENTRY = "SELECT seq, at_ms FROM journal WHERE seq = ?"
_UNTIL = "SELECT seq, at_ms FROM journal WHERE at_ms <= ? ORDER BY seq DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Wish:
    """A moment as a person names it: in ms since the epoch, or by the journal entry that ends it."""

    at_ms: int | None = None
    seq: int | None = None
    now_ms: int = 0
    """When it was named: what lies after that is the future."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Just after one journal entry, and until the next: nothing happened in between."""

    seq: int
    entry_at_ms: int
    asked_ms: int
    """The time that was named; of an entry its own."""
    is_last: bool


class NoSuchMoment(StoreError):
    """Nothing is known of the moment asked for; the message says from when to when something is."""


@dataclass(slots=True)
class Trades:
    """What the orders of one market had filled."""

    bought: Decimal = ZERO
    spent: Decimal = ZERO
    sold: Decimal = ZERO
    received: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_quote: Decimal = ZERO

    def add(self, order: OrderRecord) -> None:
        if order.side == Side.BUY:
            self.bought = MONEY.add(self.bought, order.filled)
            self.spent = MONEY.add(self.spent, order.cost)
        else:
            self.sold = MONEY.add(self.sold, order.filled)
            self.received = MONEY.add(self.received, order.cost)
        self.fee_base = MONEY.add(self.fee_base, order.fee_base)
        self.fee_quote = MONEY.add(self.fee_quote, order.fee_quote)


@dataclass(slots=True)
class Holding:
    """One currency. Of the quote currency `amount` is what all deals brought less what they cost."""

    amount: Decimal = ZERO
    dust: Decimal = ZERO


@dataclass(slots=True)
class PastBooks:
    """Everything at one moment. Positions and orders that had ended are counted, and kept only when asked for."""

    moment: Moment
    pairs: dict[str, PairRecord] = field(default_factory=dict)
    permissions: dict[str, PermissionRecord] = field(default_factory=dict)
    positions: dict[str, PositionRecord] = field(default_factory=dict)
    orders: dict[str, OrderRecord] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in SUBJECT_TABLES}
    )
    """By machine and state."""
    trades: dict[str, Trades] = field(default_factory=dict)
    """By symbol."""
    holdings: dict[str, Holding] = field(default_factory=dict)
    """By currency."""
    realized_pnl: Decimal = ZERO
    """Of the positions that had ended."""

    def add(self, record: Record, *, keep_ended: bool) -> None:
        self.counts[record.machine][record.state] += 1
        definition = SUBJECT_TABLES[record.machine].definition
        kept = keep_ended or record.state not in definition.finals
        if isinstance(record, PairRecord):
            self.pairs[record.symbol] = record
        elif isinstance(record, PermissionRecord):
            self.permissions[record.scope] = record
        elif isinstance(record, PositionRecord):
            self._hold(record)
            if kept:
                self.positions[record.id] = record
        elif isinstance(record, OrderRecord):
            self.trades.setdefault(record.symbol, Trades()).add(record)
            if kept:
                self.orders[record.client_order_id] = record

    def _hold(self, position: PositionRecord) -> None:
        base = self.holdings.setdefault(base_of(position.symbol), Holding())
        base.amount = MONEY.add(base.amount, position.quantity)
        base.dust = MONEY.add(base.dust, position.dust)
        quote = self.holdings.setdefault(quote_of(position.symbol), Holding())
        earned = MONEY.subtract(MONEY.subtract(position.received, position.spent), position.fee_quote)
        quote.amount = MONEY.add(quote.amount, earned)
        if position.closed_at_ms is not None:
            self.realized_pnl = MONEY.add(self.realized_pnl, position.realized_pnl)


def books_at(path: Path, wish: Wish, *, keep_ended: bool = False) -> PastBooks:
    """Folds the journal up to that moment, one subject after the other. Works while the engine writes.

    Raises NoSuchMoment, and StoreError where the journal is broken.
    """
    with reading(path) as connection:
        books = PastBooks(find_moment(connection, path, wish))
        try:
            for subject in fold_until_entry(connection, books.moment.seq):
                books.add(record_of(subject), keep_ended=keep_ended)
        except BrokenChainError as error:
            raise StoreError(f"database {path}: {error}; run `dirigent verify` for the extent") from error
    return books


def find_moment(connection: sqlite3.Connection, path: Path, wish: Wish) -> Moment:
    """The last entry that had been written by then, by the times in the entries. Raises NoSuchMoment."""
    first, last = connection.execute(_FIRST).fetchone(), connection.execute(_LAST).fetchone()
    if first is None:
        raise NoSuchMoment(f"database {path}: its journal is empty, nothing has happened yet")
    if wish.seq is not None:
        found = connection.execute(_ENTRY, (wish.seq,)).fetchone()
        if found is None:
            raise NoSuchMoment(f"there is no journal entry {wish.seq}: they go from {first[0]} to {last[0]}")
        return Moment(found[0], found[1], found[1], found[0] == last[0])
    assert wish.at_ms is not None
    if wish.at_ms > wish.now_ms:
        raise NoSuchMoment(f"{_told(wish.at_ms)} is in the future; name a moment that has passed")
    found = connection.execute(_UNTIL, (wish.at_ms,)).fetchone()
    if found is None:
        raise NoSuchMoment(
            f"{_told(wish.at_ms)} is before the journal's first entry, of {_told(first[1])}: no books were kept"
        )
    return Moment(found[0], found[1], wish.at_ms, found[0] == last[0])


def _told(at_ms: int) -> str:
    try:
        moment = datetime.fromtimestamp(at_ms / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"
