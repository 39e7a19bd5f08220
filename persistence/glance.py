"""The engine at a glance: what a view that is renewed every second reads, without counting what has ended."""

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from persistence.files import reading
from persistence.lock import holder_pid
from persistence.subjects import SUBJECT_TABLES

_REFUSALS = "SELECT symbol, guard, because, last_at_ms, count FROM refusals ORDER BY last_at_ms DESC LIMIT ?"
_PERMISSIONS = "SELECT scope, state, reason FROM permissions WHERE state <> 'active' ORDER BY rowid"
_PAIRS = """SELECT pairs.symbol, pairs.state, feeds.last_price, feeds.last_tick_at_ms, feeds.note
    FROM pairs LEFT JOIN feeds ON feeds.symbol = pairs.symbol ORDER BY pairs.rowid"""


@dataclass(frozen=True, slots=True)
class PairGlance:
    symbol: str
    state: str
    last_price: Decimal | None
    last_tick_at_ms: int | None
    note: str
    """Why its strategies say nothing."""


@dataclass(frozen=True, slots=True)
class LastRefusal:
    symbol: str
    guard: str
    because: str
    last_at_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class Glance:
    """One moment of the engine."""

    at_ms: int
    pid: int | None
    """Of the process that holds the database; None when none does."""
    heartbeat: Mapping[str, Any]
    living: Mapping[str, Mapping[str, int]]
    """By machine and state, the subjects that have not ended."""
    stopped: Mapping[str, str]
    """By scope, the permissions that are not active, with their reason."""
    pairs: tuple[PairGlance, ...]
    refusals: tuple[LastRefusal, ...]
    """The latest first."""


def glance(path: Path, refusals: int = 8) -> Glance:
    """Raises StoreError when the database cannot be read."""
    with reading(path) as connection:
        row = connection.execute("SELECT value FROM engine WHERE name = 'heartbeat'").fetchone()
        heartbeat: dict[str, Any] = json.loads(row[0]) if row else {}
        living = {table.machine: _living(connection, table.name, table.is_live) for table in _TABLES}
        stopped = {
            scope: f"{state}: {reason}" if reason else state
            for scope, state, reason in connection.execute(_PERMISSIONS)
        }
        pairs = tuple(_pair(*row) for row in connection.execute(_PAIRS))
        latest = tuple(LastRefusal(*row) for row in connection.execute(_REFUSALS, (refusals,)))
    if heartbeat.get("equity") is not None:
        heartbeat["equity"] = Decimal(heartbeat["equity"])
    return Glance(int(time.time() * 1000), holder_pid(path), heartbeat, living, stopped, pairs, latest)


_TABLES = tuple(SUBJECT_TABLES[machine] for machine in ("pair", "position", "order"))


def _living(connection: sqlite3.Connection, table: str, is_live: str) -> dict[str, int]:
    return dict(connection.execute(f"SELECT state, count(*) FROM {table} WHERE {is_live} GROUP BY state"))


def _pair(symbol: str, state: str, price: str | None, at_ms: int | None, note: str | None) -> PairGlance:
    return PairGlance(symbol, state, Decimal(price) if at_ms and price else None, at_ms or None, note or "")
