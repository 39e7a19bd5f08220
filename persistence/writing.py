"""A batch as SQL: every row encoded before the transaction begins, then written with constant statements."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from fsm.commit import CommitBatch, StoreConflict, StoreError, UnknownSubject
from persistence.codec import Value
from persistence.journal import CHECKPOINT_EVERY, INSERT, INSERT_CHECKPOINT, MOVED, ChainHead, rows_of
from persistence.subjects import FILL_CODEC, FILL_INSERT, SUBJECT_TABLES

_OUTBOX_INSERT = "INSERT INTO outbox(id, kind, client_order_id, symbol, created_at_ms) VALUES (?, ?, ?, ?, ?)"
_OUTBOX_DONE = "UPDATE outbox SET done_at_ms = max(created_at_ms, ?) WHERE id = ? AND done_at_ms IS NULL"
_OUTBOX_HAS = "SELECT 1 FROM outbox WHERE id = ?"
_SIGNAL_INSERT = "INSERT OR IGNORE INTO signals(id, symbol, side, outcome, at_ms) VALUES (?, ?, ?, ?, ?)"
_FACT_SET = (
    "INSERT INTO facts(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
)


@dataclass(slots=True)
class Write:
    """One record's row: inserted when `base` is 0, else put in the place of version `base`."""

    machine: str
    subject_id: str
    values: list[Value]
    base: int


@dataclass(slots=True)
class Prepared:
    """A batch ready to be written after `before`."""

    batch: CommitBatch
    writes: list[Write]
    journal: Sequence[Sequence[Value]]
    fills: Sequence[Sequence[Value]]
    before: ChainHead
    head: ChainHead
    at_ms: int
    """The latest moment that the batch knows of."""


def prepare(batch: CommitBatch, epoch: int, before: ChainHead, at_ms: int) -> Prepared:
    """Raises TypeError for money that is no Decimal, StoreError for a record that no entry explains."""
    writes = [
        Write(machine, subject_id, SUBJECT_TABLES[machine].codec.encode(record), base)
        for (machine, subject_id), (record, base) in batch.records.items()
    ]
    moved = {}
    for entry in batch.journal:
        if entry.at_ms > at_ms:
            at_ms = entry.at_ms
        if entry.outcome == MOVED:
            moved[entry.machine, entry.subject_id] = entry
    for key, (record, _) in batch.records.items():
        last = moved.pop(key, None)
        if last is None or last.version != record.version or last.target != record.state:
            raise StoreError(
                f"{key[0]} {key[1]} at version {record.version} in state {record.state} has no journal entry "
                "that leads there; a record is only changed by a move"
            )
    for machine, subject_id in moved:
        raise StoreError(f"the journal moves {machine} {subject_id}, whose record is not in the batch")
    if len(writes) > 1:
        writes.sort(key=_rank)
    journal, head = rows_of(batch.journal, epoch, before)
    fills = [FILL_CODEC.encode(fill) for fill in batch.fills]
    return Prepared(batch, writes, journal, fills, before, head, at_ms)


_RANKS = {machine: rank for rank, machine in enumerate(SUBJECT_TABLES)}


def _rank(write: Write) -> int:
    return _RANKS[write.machine]


def write(connection: sqlite3.Connection, prepared: Prepared) -> None:
    """Inside a transaction of the caller. Raises StoreConflict when a version is not what it was."""
    batch = prepared.batch
    for one in prepared.writes:
        _write_record(connection, one)
    if prepared.journal:
        connection.executemany(INSERT, prepared.journal)
        before, head = prepared.before, prepared.head
        if head.seq // CHECKPOINT_EVERY > before.seq // CHECKPOINT_EVERY:
            connection.execute(INSERT_CHECKPOINT, (head.seq, head.hash, prepared.at_ms))
    for fill in prepared.fills:
        _write_fill(connection, fill)
    for row in batch.outbox:
        values = (row.id, row.kind, row.client_order_id, row.symbol, row.created_at_ms)
        connection.execute(_OUTBOX_INSERT, values)
    for done in batch.outbox_done:
        if not connection.execute(_OUTBOX_DONE, (prepared.at_ms, done)).rowcount:
            _require_outbox(connection, done)
    for signal in batch.signals:
        connection.execute(
            _SIGNAL_INSERT, (signal.id, signal.symbol, signal.side, signal.outcome, signal.at_ms)
        )
    if batch.facts:
        connection.executemany(_FACT_SET, batch.facts.items())


def _write_record(connection: sqlite3.Connection, one: Write) -> None:
    table = SUBJECT_TABLES[one.machine]
    if one.base:
        one.values.append(one.base)
        if connection.execute(table.update, one.values).rowcount != 1:
            raise StoreConflict(
                f"{one.machine} {one.subject_id} is no longer at version {one.base}: another writer was here"
            )
        return
    try:
        connection.execute(table.insert, one.values)
    except sqlite3.IntegrityError as error:
        raise StoreConflict(f"{one.machine} {one.subject_id} cannot be stored as new: {error}") from error


def _write_fill(connection: sqlite3.Connection, values: Sequence[Value]) -> None:
    try:
        connection.execute(FILL_INSERT, values)
    except sqlite3.IntegrityError as error:
        raise StoreConflict(f"fill {values[0]} of order {values[1]} cannot be stored: {error}") from error


def _require_outbox(connection: sqlite3.Connection, outbox_id: str) -> None:
    """A request may be done twice, but not without ever having been asked for."""
    if connection.execute(_OUTBOX_HAS, (outbox_id,)).fetchone() is None:
        raise UnknownSubject(f"outbox row {outbox_id} is not stored, so it cannot be done")
