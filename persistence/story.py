"""Everything that the database tells of one deal, read in one moment."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from fsm.commit import UnknownSubject
from fsm.pair import BUY_SIGNALLED, ENTRY_CONSIDERED
from fsm.records import Fill, OrderRecord, PositionRecord
from fsm.values import Verdict
from persistence.codec import verdicts_from_json
from persistence.files import reading
from persistence.loading import find_one
from persistence.subjects import FILL_CODEC, FILL_SELECT, SUBJECT_TABLES

_ORDERS = SUBJECT_TABLES["order"]
_COLUMNS = "seq, at_ms, machine, subject_id, event, source, target, outcome, guards, changes, note, epoch"
_OF_DEAL = f"""SELECT {_COLUMNS} FROM journal WHERE (subject_id = ? AND machine = 'position')
    OR (machine = 'order' AND subject_id IN (SELECT client_order_id FROM orders WHERE position_id = ?))
    ORDER BY seq"""
_OF_PAIR_BEFORE = f"""SELECT {_COLUMNS} FROM journal
    WHERE subject_id = ? AND machine = 'pair' AND seq <= ? ORDER BY seq DESC"""
_OF_PERMISSIONS = f"""SELECT {_COLUMNS} FROM journal WHERE machine = 'permission' AND subject_id IN (?, 'engine')
    AND seq BETWEEN ? AND ? ORDER BY seq"""
_EPOCHS = "SELECT epoch, min(at_ms) FROM journal WHERE seq BETWEEN ? AND ? GROUP BY epoch ORDER BY epoch"
_SIGNAL = "SELECT at_ms, outcome FROM signals WHERE id = ?"
_LAST_PRICE = "SELECT last_price, last_tick_at_ms FROM feeds WHERE symbol = ?"


@dataclass(frozen=True, slots=True)
class Event:
    """One journal entry."""

    seq: int
    at_ms: int
    machine: str
    subject_id: str
    event: str
    source: str
    target: str
    outcome: str
    verdicts: tuple[Verdict, ...]
    changes: dict[str, Any]
    note: str
    epoch: int


@dataclass(slots=True)
class Story:
    """One deal. `signalled` and `decided` are the pair's entries that led to it, where a signal did."""

    position: PositionRecord
    orders: list[OrderRecord]
    fills: list[Fill]
    events: list[Event]
    """Of the position and its orders."""
    signalled: Event | None
    decided: Event | None
    signal_at_ms: int | None
    signal_outcome: str
    permissions: list[Event]
    """The pair's and the engine's, while the deal lived."""
    starts: list[tuple[int, int]]
    """(epoch, the first entry of it in ms) of every engine process that lived with the deal, the first included."""
    last_price: Decimal | None
    last_price_at_ms: int | None


def story(path: Path, identity: str) -> Story:
    """Of a position, living or ended, or of the position that an order belongs to. Works while the engine writes.

    Raises UnknownSubject.
    """
    with reading(path) as connection:
        position = _position(connection, identity)
        key = (position.id, position.id)
        events = [_event(row) for row in connection.execute(_OF_DEAL, key)]
        orders = [_ORDERS.codec.decode(row) for row in _rows_of(connection, position.id)]
        signalled, decided = _birth(connection, position, events)
        born = signalled or decided or events[0]
        until = events[-1].seq if position.closed_at_ms is not None else 2**62
        signal = connection.execute(_SIGNAL, (position.signal_id,)).fetchone()
        price = connection.execute(_LAST_PRICE, (position.symbol,)).fetchone()
        return Story(
            position,
            orders,
            _fills(connection, orders),
            events,
            signalled,
            decided,
            signal[0] if signal else None,
            signal[1] if signal else "",
            [_event(row) for row in connection.execute(_OF_PERMISSIONS, (position.symbol, born.seq, until))],
            list(connection.execute(_EPOCHS, (born.seq, until))),
            Decimal(price[0]) if price and price[1] else None,
            price[1] if price else None,
        )


def _position(connection: sqlite3.Connection, identity: str) -> PositionRecord:
    position = find_one(connection, "position", identity)
    if position is None:
        order = find_one(connection, "order", identity)
        position = find_one(connection, "position", order.position_id) if order else None
    if not isinstance(position, PositionRecord):
        raise UnknownSubject(
            f"there is no position {identity!r}, nor an order of that id; see `dirigent positions`"
        )
    return position


def _rows_of(connection: sqlite3.Connection, position_id: str) -> Sequence[tuple[Any, ...]]:
    return connection.execute(
        f"{_ORDERS.select} WHERE position_id = ? ORDER BY rowid", (position_id,)
    ).fetchall()


def _fills(connection: sqlite3.Connection, orders: Sequence[OrderRecord]) -> list[Fill]:
    """In the order of their times."""
    fills = [
        FILL_CODEC.decode(row)
        for order in orders
        for row in connection.execute(f"{FILL_SELECT} WHERE client_order_id = ?", (order.client_order_id,))
    ]
    return sorted(fills, key=lambda fill: (fill.at_ms, fill.id))


def _birth(
    connection: sqlite3.Connection, position: PositionRecord, events: Sequence[Event]
) -> tuple[Event | None, Event | None]:
    """The pair's entry that decided for this deal, and the one before it that took the signal."""
    decided = None
    for row in connection.execute(_OF_PAIR_BEFORE, (position.symbol, events[0].seq)):
        event = _event(row)
        if decided is None:
            if event.changes.get("entry_position_id") != position.id:
                if event.event == ENTRY_CONSIDERED:
                    return None, None
                continue
            decided = event
        elif event.event == BUY_SIGNALLED and event.outcome == "moved":
            return event, decided
    return None, decided


def _event(row: tuple[Any, ...]) -> Event:
    verdicts = tuple(Verdict(**verdict) for verdict in verdicts_from_json(row[8]))
    codec = SUBJECT_TABLES[row[2]].codec
    seq, at_ms, machine, subject_id, event, source, target, outcome = row[:8]
    changes = codec.restore(json.loads(row[9]))
    return Event(
        seq, at_ms, machine, subject_id, event, source, target, outcome, verdicts, changes, row[10], row[11]
    )
