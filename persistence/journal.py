"""The journal's rows and the chain of hashes through them."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from fsm.commit import JournalEntry
from persistence.codec import Value, changes_to_json, is_storable, storable, verdicts_to_json

CHECKPOINT_EVERY = 1_000
MOVED = "moved"

COLUMNS = (
    "seq",
    "at_ms",
    "machine",
    "subject_id",
    "version",
    "event",
    "source",
    "target",
    "outcome",
    "guards",
    "changes",
    "definition",
    "note",
    "epoch",
    "hash",
)
INSERT = f"INSERT INTO journal({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM journal"
INSERT_CHECKPOINT = "INSERT INTO checkpoints(seq, hash, at_ms) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last row: its number and its hash."""

    seq: int
    hash: str


GENESIS = ChainHead(0, "0" * 64)


def chain_hash(previous: str, content: Sequence[Value]) -> str:
    """SHA-256, in hex, of lines: the hash before, then the columns as stored, the hash itself left out.

    Only the note may hold a line break, and no other column does; so the note comes last.
    """
    return hashlib.sha256(_lines(last=previous, content=content).encode()).hexdigest()


def _lines(last: str, content: Sequence[Value]) -> str:
    (
        seq, at_ms, machine, subject_id, version, event, source, target,
        outcome, guards, changes, definition, note, epoch,
    ) = content  # fmt: skip
    return (
        f"{last}\n{seq}\n{at_ms:d}\n{machine}\n{subject_id}\n{version:d}\n{event}\n{source}\n{target}\n"
        f"{outcome}\n{guards}\n{changes}\n{definition}\n{epoch}\n{note}"
    )


_facts_of = attrgetter("at_ms", "machine", "subject_id", "version", "event", "source", "target")


def rows_of(
    entries: Sequence[JournalEntry], epoch: int, head: ChainHead
) -> tuple[list[tuple[Value, ...]], ChainHead]:
    """The entries as rows that continue the chain, and its new head."""
    rows: list[tuple[Value, ...]] = []
    seq, last = head.seq, head.hash
    for entry in entries:
        seq += 1
        content: tuple[Value, ...] = (
            seq,
            *_facts_of(entry),
            # An enumeration's member costs SQLite a search for an adapter.
            str(entry.outcome),
            verdicts_to_json(entry.verdicts),
            changes_to_json(entry.changes),
            entry.definition,
            entry.note,
            epoch,
        )
        text = _lines(last, content)
        if not is_storable(text):
            content = tuple(storable(value) if isinstance(value, str) else value for value in content)
            text = _lines(last, content)
        last = hashlib.sha256(text.encode()).hexdigest()
        rows.append((*content, last))
    return rows, ChainHead(seq, last)


def checkpoints_in(rows: Sequence[Sequence[Value]]) -> list[tuple[Value, Value, Value]]:
    """A checkpoint's values for each of these rows whose number is a multiple of CHECKPOINT_EVERY."""
    if not rows:
        return []
    first = rows[0][0]
    assert isinstance(first, int)
    return [(row[0], row[-1], row[1]) for row in rows[-first % CHECKPOINT_EVERY :: CHECKPOINT_EVERY]]


def read_head(connection: sqlite3.Connection) -> ChainHead:
    row = connection.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    return ChainHead(*row) if row else GENESIS


def read_last_checkpoint(connection: sqlite3.Connection) -> ChainHead:
    row = connection.execute("SELECT seq, hash FROM checkpoints ORDER BY seq DESC LIMIT 1").fetchone()
    return ChainHead(*row) if row else GENESIS


class BrokenChainError(Exception):
    """The first place at which the journal is not what was written."""


def walk(connection: sqlite3.Connection, start: ChainHead) -> Iterator[tuple[Any, ...]]:
    """The rows after `start`, in order. Raises BrokenChainError at a gap or where a hash does not follow."""
    seq, last = start.seq, start.hash
    for row in connection.execute(f"{SELECT} WHERE seq > ? ORDER BY seq", (start.seq,)):
        seq += 1
        if row[0] != seq:
            raise BrokenChainError(f"journal entry {seq} is missing")
        expected = chain_hash(last, row[:-1])
        if row[-1] != expected:
            raise BrokenChainError(
                f"journal entry {seq} was changed, or one before it: its hash does not follow"
            )
        last = expected
        yield row
