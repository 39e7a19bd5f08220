"""Everything that the database tells of why one pair trades or does not, now or at a past moment."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fsm.commit import UnknownSubject
from fsm.order import UNKNOWN
from fsm.pair import BUY_SIGNALLED, ENTRY_CONSIDERED
from fsm.permission import ENGINE_SUBJECT
from fsm.records import OrderRecord, PairRecord, PermissionRecord, PositionRecord
from fsm.refusals import Assessment, Refusal, refusing
from fsm.values import Verdict
from persistence.files import reading
from persistence.fold import fold_one
from persistence.lock import holder_pid
from persistence.past import Wish, find_moment
from persistence.refusals import read_assessments, read_refusals

HOUR_MS = 3_600_000

_DECISIONS = """SELECT seq, at_ms, event, source, target, outcome, guards, note FROM journal
    WHERE subject_id = ? AND machine = 'pair' AND seq <= ? ORDER BY seq DESC"""
_SINCE = """SELECT max(at_ms) FROM journal WHERE subject_id = ? AND machine = ? AND seq <= ?
    AND outcome = 'moved' AND target = ? AND (source <> target OR version = 1)"""
_LAST = "SELECT seq, at_ms FROM journal ORDER BY seq DESC LIMIT 1"
_POSITIONS = "SELECT id, entry_order_id, exit_order_id FROM positions WHERE symbol = ? AND created_at_ms <= ?"
_ENDED_BEFORE = " AND (closed_at_ms IS NULL OR closed_at_ms > ?)"


@dataclass(frozen=True, slots=True)
class Decided:
    """The last entry that was decided, as the journal has it."""

    seq: int
    at_ms: int
    event: str
    source: str
    target: str
    outcome: str
    verdicts: tuple[Verdict, ...]


@dataclass(slots=True)
class Tally:
    """Refusals of one guard that the journal has in the hour."""

    count: int
    because: str
    """Of the last one."""
    last_at_ms: int


@dataclass(frozen=True, slots=True)
class Price:
    last: Decimal
    at_ms: int
    note: str
    """The strategies' words of their silence."""


@dataclass(slots=True)
class Standpoint:
    """One pair at one moment."""

    symbol: str
    at_ms: int
    is_now: bool
    is_running: bool
    heard_at_ms: int | None
    """The engine's last heartbeat; None before the first."""
    pair: PairRecord
    since_ms: int | None
    permissions: list[tuple[PermissionRecord, int | None]]
    """The engine's and the pair's, each with the moment since when it is so; those that were ever journaled."""
    unknown_orders: list[str]
    price: Price | None
    """None where it is no longer known."""
    assessment: Assessment | None
    """None before the first, or where those of that time are gone."""
    decided: Decided | None
    refusals: list[Refusal]
    journaled: dict[str, Tally] = field(default_factory=dict)


def standpoint(path: Path, symbol: str, now_ms: int, wish: Wish | None = None) -> Standpoint:
    """Of the present, or of the moment wished for. Works while the engine writes.

    Raises UnknownSubject for a pair that the database does not have (at that moment), and NoSuchMoment.
    """
    with reading(path) as connection:
        _require_pair(connection, symbol)
        pid = holder_pid(path)
        heartbeat = _heartbeat(connection)
        heard_at_ms = heartbeat.get("at_ms")
        if wish is None:
            seq, last_ms = connection.execute(_LAST).fetchone() or (0, 0)
            written_ms = max(heard_at_ms or 0, last_ms)
            # A heartbeat may have been written between the question and this transaction.
            at_ms = max(now_ms, written_ms) if pid is not None else written_ms
        else:
            moment = find_moment(connection, path, wish)
            seq, at_ms = moment.seq, moment.asked_ms
        pair = fold_one(connection, "pair", symbol, seq)
        if not isinstance(pair, PairRecord):
            raise UnknownSubject(f"{symbol} was no pair of this database yet at that moment")
        assessment = next(iter(read_assessments(connection, symbol)), None)
        is_known = assessment is not None and assessment.at_ms <= at_ms
        return Standpoint(
            symbol=symbol,
            at_ms=at_ms,
            is_now=wish is None,
            is_running=pid is not None,
            heard_at_ms=heard_at_ms,
            pair=pair,
            since_ms=_since(connection, "pair", symbol, seq, pair.state),
            permissions=list(_permissions(connection, symbol, seq)),
            unknown_orders=_unknown_orders(connection, symbol, seq, at_ms),
            price=_price(connection, symbol, at_ms),
            assessment=assessment if is_known else None,
            decided=_last_decision(connection, symbol, seq),
            refusals=[one for one in read_refusals(connection, symbol) if one.first_at_ms <= at_ms],
            journaled=_tallies(connection, symbol, seq, at_ms),
        )


def _require_pair(connection: sqlite3.Connection, symbol: str) -> None:
    known = [row[0] for row in connection.execute("SELECT symbol FROM pairs ORDER BY rowid")]
    if symbol in known:
        return
    close = get_close_matches(symbol.upper(), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known[:20]) or 'none'}"
    raise UnknownSubject(f"{symbol} is no pair of this database; {hint}")


def _heartbeat(connection: sqlite3.Connection) -> dict[str, Any]:
    row = connection.execute("SELECT value FROM engine WHERE name = 'heartbeat'").fetchone()
    return json.loads(row[0]) if row else {}


def _since(connection: sqlite3.Connection, machine: str, subject_id: str, seq: int, state: str) -> int | None:
    moment: int | None = connection.execute(_SINCE, (subject_id, machine, seq, state)).fetchone()[0]
    return moment


def _permissions(
    connection: sqlite3.Connection, symbol: str, seq: int
) -> Iterator[tuple[PermissionRecord, int | None]]:
    for scope in (ENGINE_SUBJECT, symbol):
        permission = fold_one(connection, "permission", scope, seq)
        if isinstance(permission, PermissionRecord):
            yield permission, _since(connection, "permission", scope, seq, permission.state)


def _unknown_orders(connection: sqlite3.Connection, symbol: str, seq: int, at_ms: int) -> list[str]:
    """Orders of the pair's positions that lived then, and were unknown."""
    found = []
    for position_id, _, _ in connection.execute(_POSITIONS + _ENDED_BEFORE, (symbol, at_ms, at_ms)):
        position = fold_one(connection, "position", position_id, seq)
        if not isinstance(position, PositionRecord):
            continue
        for identity in (position.entry_order_id, position.exit_order_id):
            order = fold_one(connection, "order", identity, seq) if identity else None
            if isinstance(order, OrderRecord) and order.state == UNKNOWN:
                found.append(identity)
    return found


def _price(connection: sqlite3.Connection, symbol: str, at_ms: int) -> Price | None:
    row = connection.execute(
        "SELECT last_price, last_tick_at_ms, note FROM feeds WHERE symbol = ?", (symbol,)
    ).fetchone()
    return Price(Decimal(row[0]), row[1], row[2]) if row and row[1] <= at_ms else None


def _last_decision(connection: sqlite3.Connection, symbol: str, seq: int) -> Decided | None:
    """The last row of an entry. One that was taken in two steps, the signal and the entry, is the second."""
    for row in connection.execute(_DECISIONS, (symbol, seq)):
        if row[2] in (BUY_SIGNALLED, ENTRY_CONSIDERED):
            seq, at_ms, event, source, target, outcome = row[:6]
            return Decided(seq, at_ms, event, source, target, outcome, _verdicts(row[6]))
    return None


def _tallies(connection: sqlite3.Connection, symbol: str, seq: int, at_ms: int) -> dict[str, Tally]:
    """By guard, the refusals in the journal in the hour before."""
    tallies: dict[str, Tally] = {}
    for row in connection.execute(_DECISIONS, (symbol, seq)):
        if row[1] <= at_ms - HOUR_MS:
            break
        refused = refusing(_verdicts(row[6])) if row[2] in (BUY_SIGNALLED, ENTRY_CONSIDERED) else None
        if refused is None:
            continue
        guard, because = refused
        tally = tallies.setdefault(guard, Tally(0, because, row[1]))
        tally.count += 1
    return tallies


def _verdicts(text: str) -> tuple[Verdict, ...]:
    return tuple(Verdict(guard, holds, because) for guard, holds, because in json.loads(text))
