"""The journal folded: what it says that every subject is, now or at a past moment."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from fsm.records import Record
from persistence.files import reading
from persistence.journal import MOVED, BrokenChainError
from persistence.subjects import SUBJECT_TABLES

_COLUMNS = "SELECT machine, subject_id, seq, version, target, changes FROM journal WHERE outcome = ?"
_ORDER = "ORDER BY subject_id, machine, seq"
_UNTIL_MOMENT = f"{_COLUMNS} AND at_ms <= ? {_ORDER}"
_UNTIL_ENTRY = f"{_COLUMNS} AND seq <= ? {_ORDER}"
_OF_SUBJECT = f"{_COLUMNS} AND seq <= ? AND machine = ? AND subject_id = ? ORDER BY seq"
_FOR_EVER = 2**63 - 1


@dataclass(slots=True)
class FoldedSubject:
    """One subject as its entries left it, values as they are stored."""

    machine: str
    subject_id: str
    fields: dict[str, Any] = field(default_factory=dict)
    version: int = 0


def fold(path: Path, until_ms: int | None = None) -> dict[str, dict[str, Record]]:
    """Every subject as it was at `until_ms` (now when None), by machine and id. Raises StoreError."""
    books: dict[str, dict[str, Record]] = {machine: {} for machine in SUBJECT_TABLES}
    with reading(path) as connection:
        for subject in fold_subjects(connection, until_ms):
            books[subject.machine][subject.subject_id] = record_of(subject)
    return books


def fold_subjects(connection: sqlite3.Connection, until_ms: int | None = None) -> Iterator[FoldedSubject]:
    """One subject after the other, so that a long journal needs little memory.

    Raises BrokenChainError where a subject's versions have a gap or changes do not reach their target.
    """
    yield from _folded(
        connection.execute(_UNTIL_MOMENT, (MOVED, _FOR_EVER if until_ms is None else until_ms))
    )


def fold_until_entry(connection: sqlite3.Connection, seq: int) -> Iterator[FoldedSubject]:
    """Every subject as the journal's entry `seq` left it. Raises what `fold_subjects` raises."""
    yield from _folded(connection.execute(_UNTIL_ENTRY, (MOVED, seq)))


def fold_one(connection: sqlite3.Connection, machine: str, subject_id: str, seq: int) -> Record | None:
    """One subject as entry `seq` left it; None when it was not born yet. Its own entries only are read."""
    rows = connection.execute(_OF_SUBJECT, (MOVED, seq, machine, subject_id))
    return next((record_of(subject) for subject in _folded(rows)), None)


def record_of(subject: FoldedSubject) -> Record:
    """Its fields as a record of today; a field that records no longer have is left out."""
    codec = SUBJECT_TABLES[subject.machine].codec
    fields = {name: subject.fields[name] for name in codec.names if name in subject.fields}
    record: Record = codec.kind(**codec.restore(fields))
    return record


def _folded(rows: Iterable[tuple[Any, ...]]) -> Iterator[FoldedSubject]:
    for (machine, subject_id), entries in groupby(rows, key=lambda row: row[:2]):
        subject = FoldedSubject(machine, subject_id)
        for _, _, seq, version, target, changes in entries:
            _apply(subject, seq, version, json.loads(changes))
            if subject.fields.get("state") != target:
                raise BrokenChainError(f"journal entry {seq}: its changes do not end in {target}")
        yield subject


def _apply(subject: FoldedSubject, seq: int, version: int, changes: dict[str, Any]) -> None:
    if version != subject.version + 1:
        raise BrokenChainError(
            f"journal entry {seq}: {subject.machine} {subject.subject_id} goes "
            f"from version {subject.version} to {version}"
        )
    subject.fields.update(changes)
    subject.version = subject.fields["version"] = version
