"""Whether the journal is as it was written, the state tables are what it says, and the fills what they say.

The chain of hashes covers the journal, and the checkpoints hold hashes of it. The fold of the journal covers
every field of pairs, permissions, positions and orders. The amounts, costs and fees of fills are added up and
compared with their orders; whatever else a fill tells is not compared. No hash and no fold covers the tables
in NOT_COVERED: a signal, a fact or a request in the outbox that was altered, added or removed is not found.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from persistence.files import reading
from persistence.fill_check import check_fills
from persistence.fold import fold_subjects
from persistence.journal import GENESIS, MOVED, BrokenChainError, walk
from persistence.subjects import SUBJECT_TABLES

NOT_COVERED = (
    "outbox",
    "signals",
    "facts",
    "feeds",
    "indicator_checkpoints",
    "refusals",
    "assessments",
    "commands",
    "engine",
)
"""The tables with which nothing is compared."""


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What was compared, and the first difference in words; None when there is none."""

    entries: int
    subjects: int
    fills: int
    head: str
    """The hash of the last entry: who keeps it elsewhere can prove that nothing before it was changed."""
    difference: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.difference is None


def verify(path: Path) -> VerificationReport:
    """Reads one moment of the database, also while the engine writes. Raises StoreError when it cannot.

    Chain first, then tables, then fills: only the first difference is told. Rows are read one at a time.
    """
    with reading(path) as connection:
        entries = _count(connection, "journal")
        subjects = sum(_count(connection, table.name) for table in SUBJECT_TABLES.values())
        fills = _count(connection, "fills")
        head, difference = GENESIS.hash, None
        try:
            head = _check_chain(connection)
            _check_tables(connection)
            check_fills(connection)
        except BrokenChainError as error:
            difference = str(error)
    return VerificationReport(entries, subjects, fills, head, difference)


def _count(connection: sqlite3.Connection, table: str) -> int:
    count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def _check_chain(connection: sqlite3.Connection) -> str:
    checkpoints = dict(connection.execute("SELECT seq, hash FROM checkpoints"))
    head = GENESIS.hash
    for row in walk(connection, GENESIS):
        head = row[-1]
        if checkpoints.pop(row[0], head) != head:
            raise BrokenChainError(f"journal entry {row[0]} is not the one at its checkpoint")
    if checkpoints:
        raise BrokenChainError(f"journal entry {min(checkpoints)} has a checkpoint and is missing")
    return head


def _check_tables(connection: sqlite3.Connection) -> None:
    journaled = dict.fromkeys(SUBJECT_TABLES, 0)
    for subject in fold_subjects(connection):
        table = SUBJECT_TABLES.get(subject.machine)
        if table is None:
            raise BrokenChainError(f"the journal names the unknown machine {subject.machine!r}")
        journaled[subject.machine] += 1
        row = connection.execute(table.select_one, (subject.subject_id,)).fetchone()
        if row is None:
            raise BrokenChainError(
                f"{subject.machine} {subject.subject_id} is in the journal and not in its table"
            )
        stored = dict(zip(table.codec.names, row, strict=True))
        name = table.codec.are_same(stored, subject.fields)
        if name is not None:
            raise BrokenChainError(
                f"{subject.machine} {subject.subject_id}: {name} is {stored[name]!r} in its table and "
                f"{subject.fields.get(name)!r} in the journal"
            )
    for machine, count in journaled.items():
        _check_rows_are_journaled(connection, machine, count)


def _check_rows_are_journaled(connection: sqlite3.Connection, machine: str, journaled: int) -> None:
    """Each journaled subject has its row by now: more rows than subjects are rows that nobody journaled."""
    table = SUBJECT_TABLES[machine]
    if _count(connection, table.name) == journaled:
        return
    strange = connection.execute(
        f'SELECT "{table.key}" FROM {table.name} WHERE NOT EXISTS (SELECT 1 FROM journal WHERE machine = ?'
        f' AND subject_id = {table.name}."{table.key}" AND outcome = ?) LIMIT 1',
        (machine, MOVED),
    ).fetchone()
    raise BrokenChainError(f"{machine} {strange[0]} is in its table and not in the journal")
