"""What is pending, as SQL: every row encoded before the transaction begins, then constant statements."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fsm.commit import AnsweredCommand, StoreConflict
from persistence.admission import require_outbox, version_conflict
from persistence.codec import Value, storable
from persistence.journal import INSERT, INSERT_CHECKPOINT, ChainHead, checkpoints_in, rows_of
from persistence.pending import Pending
from persistence.subjects import FILL_CODEC, FILL_INSERT, SUBJECT_TABLES, SubjectTable

Rows = list[list[Value]]

_OUTBOX_INSERT = (
    "INSERT INTO outbox(id, kind, client_order_id, symbol, created_at_ms, done_at_ms)"
    " VALUES (?, ?, ?, ?, ?, max(?5, ?6))"
)
"""`max` of a moment and NULL is NULL: a request that is not done stays so."""
_OUTBOX_DONE = "UPDATE outbox SET done_at_ms = max(created_at_ms, ?) WHERE id = ? AND done_at_ms IS NULL"
_SIGNAL_INSERT = "INSERT OR IGNORE INTO signals(id, symbol, side, outcome, at_ms) VALUES (?, ?, ?, ?, ?)"
_COMMAND_INSERT = (
    "INSERT INTO commands(id, kind, arguments, person, given_at_ms, answered_at_ms, outcome, answer)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_FACT_SET = (
    "INSERT INTO facts(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
)


@dataclass(slots=True)
class Prepared:
    """Rows ready to be written; `head` is the journal's after them."""

    inserts: dict[str, Rows]
    """By machine."""
    updates: dict[str, Rows]
    """By machine; behind its columns each row has the version that it replaces."""
    journal: list[tuple[Value, ...]]
    head: ChainHead
    fills: Rows
    outbox: Rows
    done: list[tuple[int, str]]
    signals: Rows
    facts: list[tuple[str, str]]
    commands: Rows

    def write(self, connection: sqlite3.Connection) -> None:
        """Inside a transaction of the caller. Raises StoreConflict when a version is not what it was."""
        for machine, table in SUBJECT_TABLES.items():
            if machine in self.inserts:
                _insert(connection, table, self.inserts[machine])
            if machine in self.updates:
                _update(connection, table, self.updates[machine])
        if self.journal:
            connection.executemany(INSERT, self.journal)
            for checkpoint in checkpoints_in(self.journal):
                connection.execute(INSERT_CHECKPOINT, checkpoint)
        if self.fills:
            _insert_fills(connection, self.fills)
        if self.outbox:
            connection.executemany(_OUTBOX_INSERT, self.outbox)
        if self.done and connection.executemany(_OUTBOX_DONE, self.done).rowcount != len(self.done):
            for _, outbox_id in self.done:
                require_outbox(connection, outbox_id)
        if self.signals:
            connection.executemany(_SIGNAL_INSERT, self.signals)
        if self.facts:
            connection.executemany(_FACT_SET, self.facts)
        if self.commands:
            _insert_commands(connection, self.commands)


def prepare(pending: Pending, epoch: int, before: ChainHead) -> Prepared:
    """Raises TypeError for money that is no Decimal."""
    inserts: defaultdict[str, Rows] = defaultdict(list)
    updates: defaultdict[str, Rows] = defaultdict(list)
    for (machine, _), (record, base) in pending.records.items():
        values = SUBJECT_TABLES[machine].codec.encode(record)
        if base:
            values.append(base)
            updates[machine].append(values)
        else:
            inserts[machine].append(values)
    journal, head = rows_of(pending.journal, epoch, before)
    return Prepared(
        inserts,
        updates,
        journal,
        head,
        fills=[FILL_CODEC.encode(fill) for fill in pending.fills.values()],
        outbox=_outbox_rows(pending),
        done=[(at_ms, storable(one)) for one, at_ms in pending.done.items() if one not in pending.outbox],
        signals=_signal_rows(pending),
        facts=[(storable(name), storable(value)) for name, value in pending.facts.items()],
        commands=[_command_row(one) for one in pending.commands],
    )


def _command_row(one: AnsweredCommand) -> list[Value]:
    texts = (storable(one.id), storable(one.kind), storable(one.arguments), storable(one.person))
    return [*texts, one.given_at_ms, one.answered_at_ms, one.outcome, storable(one.answer)]


def _outbox_rows(pending: Pending) -> Rows:
    return [
        [
            storable(row.id),
            storable(row.kind),
            storable(row.client_order_id),
            storable(row.symbol),
            row.created_at_ms,
            pending.done.get(row.id),
        ]
        for row in pending.outbox.values()
    ]


def _signal_rows(pending: Pending) -> Rows:
    return [
        [storable(one.id), storable(one.symbol), storable(one.side), storable(one.outcome), one.at_ms]
        for one in pending.signals.values()
    ]


def _insert(connection: sqlite3.Connection, table: SubjectTable, rows: Sequence[list[Value]]) -> None:
    before = connection.total_changes
    try:
        connection.executemany(table.insert, rows)
    except sqlite3.IntegrityError as error:
        culprit = rows[connection.total_changes - before]
        raise version_conflict(table.machine, str(culprit[table.key_at]), 0, str(error)) from error


def _update(connection: sqlite3.Connection, table: SubjectTable, rows: Sequence[list[Value]]) -> None:
    """Compare-and-swap: as many rows must have changed as there were versions to find."""
    if connection.executemany(table.update, rows).rowcount == len(rows):
        return
    for values in rows:
        key, base = str(values[table.key_at]), values[-1]
        assert isinstance(base, int)
        row = connection.execute(table.select_one, (key,)).fetchone()
        if row is None:
            raise version_conflict(table.machine, key, base, "it is gone")
        if row != tuple(values[:-1]):
            raise version_conflict(table.machine, key, base, f"it is at version {row[table.version_at]}")
    raise StoreConflict(f"not every {table.machine} was at the version it had: another writer was here")


def _insert_fills(connection: sqlite3.Connection, rows: Rows) -> None:
    before = connection.total_changes
    try:
        connection.executemany(FILL_INSERT, rows)
    except sqlite3.IntegrityError as error:
        culprit = rows[connection.total_changes - before]
        raise StoreConflict(f"fill {culprit[0]} of order {culprit[1]} cannot be stored: {error}") from error


def _insert_commands(connection: sqlite3.Connection, rows: Rows) -> None:
    try:
        connection.executemany(_COMMAND_INSERT, rows)
    except sqlite3.IntegrityError as error:
        raise StoreConflict(f"command {rows[0][0]} was answered before: {error}") from error
