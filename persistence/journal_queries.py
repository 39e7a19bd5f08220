"""What people ask of the journal: its entries, at once or one at a time; read-only, while the engine writes."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fsm.commit import UnknownSubject
from persistence.codec import verdicts_from_json
from persistence.files import reading
from persistence.journal import COLUMNS, SELECT
from persistence.subjects import SUBJECT_TABLES

Entry = dict[str, Any]


def entries(
    path: Path,
    subject_id: str | None = None,
    since_ms: int | None = None,
    after_seq: int | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """In their order; of more than `limit` the latest. A position brings those of its orders.

    Raises UnknownSubject when nothing was ever journaled under `subject_id`.
    """
    query, values = _query(subject_id, since_ms, after_seq)
    with reading(path) as connection:
        rows = connection.execute(
            f"{query} DESC LIMIT ?", (*values, -1 if limit is None else limit)
        ).fetchall()
        if not rows and subject_id is not None:
            _require_subject(connection, subject_id)
    return [_entry(row) for row in reversed(rows)]


def walk_entries(
    path: Path, subject_id: str | None = None, since_ms: int | None = None, after_seq: int | None = None
) -> Iterator[Entry]:
    """The same entries, oldest first, one at a time: for a journal that is longer than memory.

    Raises what `entries` raises, at the call. All entries are of one moment, which is held until the iterator
    ends or is closed; until then the engine's write-ahead log cannot start over.
    """
    query, values = _query(subject_id, since_ms, after_seq)
    with reading(path) as connection:
        if subject_id is not None:
            _require_subject(connection, subject_id)
    return _walk(path, query, values)


def _walk(path: Path, query: str, values: list[str | int]) -> Iterator[Entry]:
    with reading(path) as connection:
        for row in connection.execute(query, values):
            yield _entry(row)


def _query(
    subject_id: str | None, since_ms: int | None, after_seq: int | None
) -> tuple[str, list[str | int]]:
    """Ends with its ORDER BY, oldest first unless DESC follows."""
    terms: list[str] = ["1"]
    values: list[str | int] = []
    if subject_id is not None:
        terms.append(
            "subject_id IN (SELECT ? UNION SELECT client_order_id FROM orders WHERE position_id = ?)"
        )
        values += [subject_id, subject_id]
    for term, value in (("at_ms >= ?", since_ms), ("seq > ?", after_seq)):
        if value is not None:
            terms.append(term)
            values.append(value)
    return f"{SELECT} WHERE {' AND '.join(terms)} ORDER BY seq", values


def _require_subject(connection: sqlite3.Connection, subject_id: str) -> None:
    if connection.execute("SELECT 1 FROM journal WHERE subject_id = ?", (subject_id,)).fetchone() is None:
        raise UnknownSubject(f"nothing is known of {subject_id!r}: no pair, position or order has this id")


def _entry(row: tuple[Any, ...]) -> Entry:
    entry = dict(zip(COLUMNS, row, strict=True))
    entry["at"] = entry.pop("at_ms")
    entry["guards"] = verdicts_from_json(entry["guards"])
    entry["changes"] = SUBJECT_TABLES[entry["machine"]].codec.restore(json.loads(entry["changes"]))
    return entry
