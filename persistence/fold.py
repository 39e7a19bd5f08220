"""The journal folded: what it says that every subject is, now or at a past moment."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from fsm.records import Record
from persistence.files import reading
from persistence.journal import MOVED, BrokenChainError
from persistence.subjects import SUBJECT_TABLES

_SELECT = """SELECT machine, subject_id, seq, version, target, changes FROM journal
    WHERE outcome = ? AND at_ms <= ? ORDER BY subject_id, machine, seq"""
_FOR_EVER_MS = 2**63 - 1


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
            codec = SUBJECT_TABLES[subject.machine].codec
            fields = {name: subject.fields[name] for name in codec.names if name in subject.fields}
            books[subject.machine][subject.subject_id] = codec.kind(**codec.restore(fields))
    return books


def fold_subjects(connection: sqlite3.Connection, until_ms: int | None = None) -> Iterator[FoldedSubject]:
    """One subject after the other, so that a long journal needs little memory.

    Raises BrokenChainError where a subject's versions have a gap or changes do not reach their target.
    """
    rows = connection.execute(_SELECT, (MOVED, _FOR_EVER_MS if until_ms is None else until_ms))
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
