"""What the books add up to, for the comparison with an exchange; also read-only, beside the engine that writes."""

import sqlite3
from collections.abc import Collection, Iterable
from decimal import Decimal
from pathlib import Path

from fsm.commit import Standing, Totals
from fsm.order import UNKNOWN
from fsm.records import OrderRecord
from fsm.values import MONEY, ZERO
from persistence.files import reading
from persistence.loading import find_one, load_state
from persistence.subjects import SUBJECT_TABLES

RECENT_ORDERS = 200

_ORDERS = SUBJECT_TABLES["order"]
_POSITIONS = SUBJECT_TABLES["position"]
_SUMMANDS = """SELECT symbol, quantity, dust, received, spent, fee_quote FROM positions
    WHERE rowid > ? AND rowid <= ?"""
_SETTLED = f"""SELECT coalesce((SELECT min(rowid) - 1 FROM positions WHERE {_POSITIONS.is_live}),
    (SELECT max(rowid) FROM positions), 0)"""
_MARK = "SELECT count(*), coalesce(sum(version), 0) FROM positions WHERE rowid <= ?"
_LAST = 2**62
_HAS_ENDED = " OR ".join(f"state = '{state}'" for state in sorted(_ORDERS.definition.finals))
_RECENT = f"{_ORDERS.select} WHERE {_HAS_ENDED} ORDER BY rowid DESC LIMIT ?"
_SINCE = """SELECT max(at_ms) FROM journal WHERE subject_id = ? AND machine = 'order' AND outcome = 'moved'
    AND target = ? AND source <> target"""
_STATE = "SELECT state FROM orders WHERE client_order_id = ?"


class RunningTotals:
    """Sums that read old positions once: those before the oldest living one are summed, and only seen to be unchanged.

    Whether they are, their number and the sum of their versions tell: each change raises a version.
    """

    def __init__(self) -> None:
        self._sums = Totals()
        self._upto = 0
        self._mark: tuple[int, int] = (0, 0)

    def read(self, connection: sqlite3.Connection) -> Totals:
        if _mark_of(connection, self._upto) != self._mark:
            self._sums, self._upto, self._mark = Totals(), 0, (0, 0)
        settled = connection.execute(_SETTLED).fetchone()[0]
        if settled > self._upto:
            _add(self._sums, connection.execute(_SUMMANDS, (self._upto, settled)))
            self._upto, self._mark = settled, _mark_of(connection, settled)
        totals = Totals(dict(self._sums.holdings), dict(self._sums.money))
        _add(totals, connection.execute(_SUMMANDS, (self._upto, _LAST)))
        return totals


def _mark_of(connection: sqlite3.Connection, upto: int) -> tuple[int, int]:
    count, versions = connection.execute(_MARK, (upto,)).fetchone()
    return count, versions


def _add(totals: Totals, rows: Iterable[tuple[str, str, str, str, str, str]]) -> None:
    for symbol, quantity, dust, received, spent, fee_quote in rows:
        holding = MONEY.add(Decimal(quantity), Decimal(dust))
        earned = MONEY.subtract(MONEY.subtract(Decimal(received), Decimal(spent)), Decimal(fee_quote))
        totals.holdings[symbol] = MONEY.add(totals.holdings.get(symbol, ZERO), holding)
        totals.money[symbol] = MONEY.add(totals.money.get(symbol, ZERO), earned)


def read_recent_orders(connection: sqlite3.Connection, limit: int) -> list[OrderRecord]:
    """The orders born last of those that have ended, the latest first."""
    return [_ORDERS.codec.decode(row) for row in connection.execute(_RECENT, (limit,))]


def read_unknown_since_ms(connection: sqlite3.Connection, client_order_id: str) -> int | None:
    """From the journal, so that a restart does not begin the wait anew."""
    state = connection.execute(_STATE, (client_order_id,)).fetchone()
    if state is None or state[0] != UNKNOWN:
        return None
    moment: int | None = connection.execute(_SINCE, (client_order_id, UNKNOWN)).fetchone()[0]
    return moment


def standing(path: Path, asked: Collection[str] = ()) -> Standing:
    """One moment of the database; `asked` are orders that count as recent, where they are stored.

    Raises StoreError when it cannot be read.
    """
    with reading(path) as connection:
        engine = dict(connection.execute("SELECT name, value FROM engine WHERE name IN ('tag', 'epoch')"))
        stored = load_state(connection, engine.get("tag", ""), int(engine.get("epoch", "0")))
        recent = {order.client_order_id: order for order in read_recent_orders(connection, RECENT_ORDERS)}
        live = {str(order.subject_id) for order in stored.orders}
        for client_order_id in set(asked) - recent.keys() - live:
            order = find_one(connection, "order", client_order_id)
            if order is not None:
                recent[client_order_id] = order
        return Standing(stored, RunningTotals().read(connection), list(recent.values()))
