"""What people are told of, out of the journal: counted by kind, the first of it in full."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from fsm.records import OrderRecord, PositionRecord, Record
from fsm.values import MONEY, ZERO
from persistence.files import reading
from persistence.loading import find_one
from persistence.subjects import SUBJECT_TABLES

PREDICATES: Mapping[str, str] = {
    "halts": "machine = 'permission' AND event <> 'quarantined' AND source <> target",
    "quarantine": "machine = 'permission' AND event = 'quarantined' AND source <> target",
    "unknown_outcomes": "machine = 'order' AND source <> target AND 'unknown' IN (source, target)",
    "exits": "machine = 'position' AND source <> target AND target IN ('closed', 'dust', 'abandoned')",
    "fills": "machine = 'order' AND event IN ('order_filled', 'order_partially_filled')"
    " AND changes LIKE '%\"filled\"%'",
}
"""By kind, the journal's moves that it is made of; the most urgent kind first. A move is of the first that fits."""

_HEAD = "SELECT coalesce(max(seq), 0) FROM journal"
_DAY = """SELECT realized_pnl FROM positions
    WHERE closed_at_ms >= ? AND closed_at_ms < ? AND state IN ('closed', 'dust')"""


@dataclass(frozen=True, slots=True)
class Happening:
    """One move that is worth telling, and its subject as it is by now."""

    seq: int
    kind: str
    at_ms: int
    machine: str
    subject_id: str
    event: str
    source: str
    target: str
    note: str
    changes: Mapping[str, Any]
    record: Record | None
    position: PositionRecord | None
    """The position behind it: itself, or that of an order."""


@dataclass(frozen=True, slots=True)
class Happenings:
    """Everything from one number of the journal up to `upto`. `first` holds the most urgent, then the oldest."""

    upto: int
    counts: Mapping[str, int] = field(default_factory=dict)
    first: tuple[Happening, ...] = ()


@dataclass(frozen=True, slots=True)
class DayResult:
    """The deals that ended between two moments."""

    deals: int
    wins: int
    profit: Decimal
    open_positions: int


def journal_head(path: Path) -> int:
    """The number of the last entry; 0 before the first."""
    with reading(path) as connection:
        head: int = connection.execute(_HEAD).fetchone()[0]
        return head


def happenings(path: Path, after_seq: int, kinds: Sequence[str], limit: int) -> Happenings:
    """Of these kinds, what the journal tells after an entry; at most `limit` of it in full."""
    wanted = [kind for kind in PREDICATES if kind in kinds]
    with reading(path) as connection:
        upto: int = connection.execute(_HEAD).fetchone()[0]
        if upto <= after_seq or not wanted:
            return Happenings(max(upto, after_seq))
        cases = " ".join(f"WHEN {PREDICATES[kind]} THEN {rank}" for rank, kind in enumerate(wanted))
        told = f"""SELECT CASE {cases} END AS rank,
            seq, at_ms, machine, subject_id, event, source, target, note, changes FROM journal
            WHERE seq > ? AND seq <= ? AND outcome = 'moved'"""
        counted = connection.execute(
            f"SELECT rank, count(*) FROM ({told}) WHERE rank IS NOT NULL GROUP BY rank", (after_seq, upto)
        )
        counts = {wanted[rank]: count for rank, count in counted}
        rows = connection.execute(
            f"SELECT * FROM ({told}) WHERE rank IS NOT NULL ORDER BY rank, seq LIMIT ?",
            (after_seq, upto, limit),
        ).fetchall()
        return Happenings(upto, counts, tuple(_happening(connection, wanted, row) for row in rows))


def _happening(connection: sqlite3.Connection, wanted: Sequence[str], row: tuple[Any, ...]) -> Happening:
    rank, seq, at_ms, machine, subject_id, event, source, target, note, changes = row
    record: Record | None = find_one(connection, machine, subject_id)
    position: PositionRecord | None = record if isinstance(record, PositionRecord) else None
    if isinstance(record, OrderRecord):
        position = find_one(connection, "position", record.position_id)
    restored = SUBJECT_TABLES[machine].codec.restore(json.loads(changes))
    return Happening(
        seq, wanted[rank], at_ms, machine, subject_id, event, source, target, note, restored, record, position
    )


def day_result(path: Path, from_ms: int, to_ms: int) -> DayResult:
    """Of the deals whose end lies between the moments, the first included."""
    with reading(path) as connection:
        results = [Decimal(row[0]) for row in connection.execute(_DAY, (from_ms, to_ms))]
        living = f"SELECT count(*) FROM positions WHERE {SUBJECT_TABLES['position'].is_live}"
        open_positions: int = connection.execute(living).fetchone()[0]
    profit = ZERO
    for result in results:
        profit = MONEY.add(profit, result)
    return DayResult(len(results), sum(result > 0 for result in results), profit, open_positions)
