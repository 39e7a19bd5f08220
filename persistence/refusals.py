"""Refusals and assessments as rows: a row a pair and guard, a row a pair, however long the engine runs."""

import json
import sqlite3
from typing import Any

from fsm.refusals import Answer, Assessment, Refusal
from fsm.values import Verdict
from persistence.codec import Value, storable

REFUSAL_TABLES = (
    """CREATE TABLE refusals (
        symbol TEXT NOT NULL,
        guard TEXT NOT NULL,
        because TEXT NOT NULL,
        first_at_ms INTEGER NOT NULL,
        last_at_ms INTEGER NOT NULL,
        count INTEGER NOT NULL,
        minutes TEXT NOT NULL,
        hours TEXT NOT NULL,
        PRIMARY KEY (symbol, guard)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE assessments (
        symbol TEXT PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        answers TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)

REFUSAL_SET = """INSERT INTO refusals(symbol, guard, because, first_at_ms, last_at_ms, count, minutes, hours)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(symbol, guard) DO UPDATE SET
    because = excluded.because, first_at_ms = excluded.first_at_ms, last_at_ms = excluded.last_at_ms,
    count = excluded.count, minutes = excluded.minutes, hours = excluded.hours"""
ASSESSMENT_SET = """INSERT INTO assessments(symbol, at_ms, answers) VALUES (?, ?, ?)
    ON CONFLICT(symbol) DO UPDATE SET at_ms = excluded.at_ms, answers = excluded.answers"""
_REFUSALS = "SELECT symbol, guard, because, first_at_ms, last_at_ms, count, minutes, hours FROM refusals"
_ASSESSMENTS = "SELECT symbol, at_ms, answers FROM assessments"


def refusal_row(refusal: Refusal) -> tuple[Value, ...]:
    return (
        storable(refusal.symbol),
        refusal.guard,
        storable(refusal.because),
        refusal.first_at_ms,
        refusal.last_at_ms,
        refusal.count,
        _counts_to_json(refusal.minutes),
        _counts_to_json(refusal.hours),
    )


def assessment_row(assessment: Assessment) -> tuple[Value, ...]:
    answers = [
        [answer.verdict.guard, answer.verdict.holds, storable(answer.verdict.because), answer.since_ms]
        for answer in assessment.answers
    ]
    return storable(assessment.symbol), assessment.at_ms, json.dumps(answers, separators=(",", ":"))


def read_refusals(connection: sqlite3.Connection, pair: str | None = None) -> list[Refusal]:
    """Of one pair, or of all."""
    where, values = _where(pair)
    return [
        Refusal(symbol, guard, because, first, last, count, _counts(minutes), _counts(hours))
        for symbol, guard, because, first, last, count, minutes, hours in connection.execute(
            f"{_REFUSALS}{where} ORDER BY symbol, guard", values
        )
    ]


def read_assessments(connection: sqlite3.Connection, symbol: str | None = None) -> list[Assessment]:
    """Of one pair, or of all."""
    where, values = _where(symbol)
    return [_assessment(*row) for row in connection.execute(f"{_ASSESSMENTS}{where} ORDER BY symbol", values)]


def _where(symbol: str | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if symbol is None else (" WHERE symbol = ?", (symbol,))


def _assessment(symbol: str, at_ms: int, answers: str) -> Assessment:
    listed: list[Any] = json.loads(answers)
    return Assessment(
        symbol,
        at_ms,
        tuple(Answer(Verdict(guard, holds, because), since) for guard, holds, because, since in listed),
    )


def _counts_to_json(counts: dict[int, int]) -> str:
    return json.dumps(sorted(counts.items()), separators=(",", ":"))


def _counts(text: str) -> dict[int, int]:
    return {int(at): int(count) for at, count in json.loads(text)}
