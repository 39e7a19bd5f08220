"""What a batch is refused for before anything of it is taken in."""

import sqlite3

from fsm.commit import CommitBatch, StoreConflict, StoreError, UnknownSubject
from persistence.codec import storable
from persistence.journal import MOVED
from persistence.pending import Pending
from persistence.subjects import FILL_CODEC, SUBJECT_TABLES

_HAS_OUTBOX = "SELECT 1 FROM outbox WHERE id = ?"


def check_whole(batch: CommitBatch) -> None:
    """Raises StoreError for a record that no entry explains or a move without its record, StoreConflict
    for what comes twice.
    """
    records = batch.records
    moved = {}
    for entry in batch.journal:
        if entry.outcome == MOVED:
            moved[entry.machine, entry.subject_id] = entry
    for key, (record, _) in records.items():
        last = moved.get(key)
        if last is None or last.version != record.version or last.target != record.state:
            raise StoreError(
                f"{key[0]} {key[1]} at version {record.version} in state {record.state} has no journal entry "
                "that leads there; a record is only changed by a move"
            )
    if len(moved) != len(records):
        machine, subject_id = next(key for key in moved if key not in records)
        raise StoreError(f"the journal moves {machine} {subject_id}, whose record is not in the batch")
    if len(batch.fills) > 1:
        _require_unique("fill", [f"{fill.id} of {fill.symbol}" for fill in batch.fills])
    if len(batch.outbox) > 1:
        _require_unique("request", [row.id for row in batch.outbox])


def _require_unique(what: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise StoreConflict(f"{what} {max(names, key=names.count)} comes twice in one batch")


def check_fits(batch: CommitBatch, pending: Pending, connection: sqlite3.Connection) -> None:
    """Asks now what the group's transaction would be refused for: so this batch fails, and not the group.

    That what is new is not in the database already is left to the transaction: a question outside of one
    takes locks, and costs more than the row. Raises StoreConflict, UnknownSubject, and TypeError for money
    that is no Decimal.
    """
    waiting = pending.records
    for key, (record, base) in batch.records.items():
        table = SUBJECT_TABLES[key[0]]
        table.codec.check_money(record)
        if key in waiting:
            version = waiting[key][0].version
        elif base:
            row = connection.execute(table.select_version, (storable(key[1]),)).fetchone()
            version = row[0] if row else 0
        else:
            continue
        if version != base:
            raise version_conflict(*key, base, f"it is at version {version}")
    for fill in batch.fills:
        FILL_CODEC.check_money(fill)
        if (fill.symbol, fill.id) in pending.fills:
            raise StoreConflict(f"fill {fill.id} of order {fill.client_order_id} is stored already")
    for row in batch.outbox:
        if row.id in pending.outbox:
            raise StoreConflict(f"outbox row {row.id} is stored already")
    for done in batch.outbox_done:
        if done not in pending.outbox and all(row.id != done for row in batch.outbox):
            require_outbox(connection, done)


def require_outbox(connection: sqlite3.Connection, outbox_id: str) -> None:
    """A request may be done twice, but not without ever having been asked for."""
    if connection.execute(_HAS_OUTBOX, (storable(outbox_id),)).fetchone() is None:
        raise UnknownSubject(f"outbox row {outbox_id} is not stored, so it cannot be done")


def version_conflict(machine: str, subject_id: str, base: int, found: str) -> StoreConflict:
    if base:
        return StoreConflict(
            f"{machine} {subject_id} is no longer at version {base}: another writer was here ({found})"
        )
    return StoreConflict(f"{machine} {subject_id} cannot be stored as new: {found}")
