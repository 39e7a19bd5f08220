"""What a start reads: the journal's tail is verified, then everything that has not ended is loaded."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

from fsm.commit import (
    FORMER_TAGS,
    CommitBatch,
    JournalEntry,
    OutboxRow,
    StoredState,
    StoreError,
    former_tags,
)
from fsm.records import Record, changes_between
from persistence.journal import (
    COLUMNS,
    GENESIS,
    MOVED,
    BrokenChainError,
    read_head,
    read_last_checkpoint,
    walk,
)
from persistence.state_maps import StateMap, map_of
from persistence.subjects import SUBJECT_TABLES

_MACHINE, _SUBJECT, _VERSION = COLUMNS.index("machine"), COLUMNS.index("subject_id"), COLUMNS.index("version")
_OUTCOME, _CHANGES = COLUMNS.index("outcome"), COLUMNS.index("changes")
_BASE_36 = re.compile("[0-9a-z]{1,12}")


def verify_tail(connection: sqlite3.Connection, path: Path) -> None:
    """Checks what was journaled since the last checkpoint. Raises StoreError with the first difference.

    There is no gap, the chain is whole, and each subject's row is where its entries left it.
    """
    try:
        _check_tail(connection)
    except BrokenChainError as error:
        raise StoreError(
            f"database {path}: {error}; run `dirigent verify` for the extent, then restore a backup"
        ) from error


def _check_tail(connection: sqlite3.Connection) -> None:
    start = read_last_checkpoint(connection)
    row = connection.execute("SELECT hash FROM journal WHERE seq = ?", (start.seq,)).fetchone()
    if start != GENESIS and (row is None or row[0] != start.hash):
        raise BrokenChainError(f"journal entry {start.seq} is not the one at its checkpoint")
    touched: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in walk(connection, start):
        if entry[_OUTCOME] == MOVED:
            fields = touched.setdefault((entry[_MACHINE], entry[_SUBJECT]), {})
            fields.update(json.loads(entry[_CHANGES]))
            fields["version"] = entry[_VERSION]
    for (machine, subject_id), fields in touched.items():
        table = SUBJECT_TABLES[machine]
        stored = connection.execute(table.select_one, (subject_id,)).fetchone()
        if stored is None:
            raise BrokenChainError(f"{machine} {subject_id} is in the journal and not in its table")
        different = table.codec.are_same(fields, dict(zip(table.codec.names, stored, strict=True)))
        if different:
            raise BrokenChainError(f"{machine} {subject_id}: {different} is not what the journal left")


def load_state(connection: sqlite3.Connection, tag: str, epoch: int) -> StoredState:
    """Everything that has not ended, states as they are stored."""
    return StoredState(
        tag=tag,
        epoch=epoch,
        last_position_number=_last_position_number(connection, tag),
        pairs=_live(connection, "pair"),
        permissions=_live(connection, "permission"),
        positions=_live(connection, "position"),
        orders=_live(connection, "order"),
        facts=dict(connection.execute("SELECT name, value FROM facts")),
        checkpoints=dict(connection.execute("SELECT symbol, state FROM indicator_checkpoints")),
        pending_outbox=[
            OutboxRow(*row)
            for row in connection.execute(
                "SELECT id, kind, client_order_id, symbol, created_at_ms FROM outbox"
                " WHERE done_at_ms IS NULL ORDER BY rowid"
            )
        ],
    )


def _live(connection: sqlite3.Connection, machine: str) -> list[Record]:
    table = SUBJECT_TABLES[machine]
    rows = connection.execute(f"{table.select} WHERE {table.is_live} ORDER BY rowid")
    return [table.codec.decode(row) for row in rows]


def _last_position_number(connection: sqlite3.Connection, tag: str) -> int:
    """The highest in use: a position's id is the tag, then its number in base 36 and of fixed width.

    Under its former tags, too: the orders of a position from a former life bear the present tag and its number.
    Never below the count, whatever the ids look like.
    """
    number: int = connection.execute("SELECT coalesce(max(rowid), 0) FROM positions").fetchone()[0]
    facts = dict(connection.execute("SELECT name, value FROM facts WHERE name = ?", (FORMER_TAGS,)))
    for one in (tag, *former_tags(facts)):
        last = connection.execute(
            "SELECT max(id) FROM positions WHERE id > ? AND id < ?", (one, one + "~")
        ).fetchone()[0]
        digits = last.removeprefix(one) if last else ""
        if _BASE_36.fullmatch(digits):
            number = max(number, int(digits, 36))
    return number


def map_states(state: StoredState, at_ms: int, path: Path) -> CommitBatch:
    """The moves that bring each loaded subject to a state of its present table; `state` is not changed.

    Raises StoreError for a subject whose state no table and no map knows.
    """
    batch = CommitBatch()
    for record in (*state.pairs, *state.permissions, *state.positions, *state.orders):
        if record.state not in SUBJECT_TABLES[record.machine].definition.by_name:
            used = map_of(record.machine, record.state)
            if used is None:
                raise StoreError(
                    f"database {path}: {record.machine} {record.subject_id} is in state {record.state!r}, "
                    "which this version does not have; use the version that wrote it, "
                    "or one with a state map that covers it"
                )
            _map_one(batch, record, used, at_ms)
    return batch


def _map_one(batch: CommitBatch, record: Record, used: StateMap, at_ms: int) -> None:
    definition = SUBJECT_TABLES[record.machine].definition
    moved = record.copy()
    moved.state = used.states[record.state]
    moved.version += 1
    if definition.by_name[moved.state].deadline and moved.due_at_ms is None:
        moved.due_at_ms = at_ms
    batch.records[record.machine, record.subject_id] = (moved, record.version)
    batch.journal.append(
        JournalEntry(
            at_ms=at_ms,
            machine=record.machine,
            subject_id=record.subject_id,
            version=moved.version,
            event="definition_changed",
            source=record.state,
            target=moved.state,
            outcome=MOVED,
            verdicts=(),
            changes=changes_between(record, moved),
            definition=definition.hash,
            note=f"state map {used.name}",
        )
    )


def find_one(connection: sqlite3.Connection, machine: str, subject_id: str) -> Any:
    """The record, ended or not; None when there is none."""
    table = SUBJECT_TABLES[machine]
    row = connection.execute(table.select_one, (subject_id,)).fetchone()
    return table.codec.decode(row) if row else None


def latest_moment(connection: sqlite3.Connection) -> int:
    """The time of the last journal entry; 0 in an empty journal."""
    head = read_head(connection)
    row = connection.execute("SELECT at_ms FROM journal WHERE seq = ?", (head.seq,)).fetchone()
    return row[0] if row else 0
