"""The log's side of the books: each move that was committed, as a line that names its position.

`grep POSITION engine.log` is then one deal's story: signal, orders, fills, exit. The lines are written a moment
after the commit, beside the ticks; the journal has the same and more, and it is the one that survives a kill.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

from loguru import logger

from fsm.commit import CommitBatch, JournalEntry
from fsm.engine import Outcome
from fsm.order import ORDER, ORDER_ABSENT, OUTCOME_LOST, UNKNOWN
from fsm.records import OrderRecord, PositionRecord
from fsm.table import DEADLINE_PASSED
from persistence.store import SqliteStore

_MOMENT_S = 0.02

_IN_VAIN = (DEADLINE_PASSED, OUTCOME_LOST, ORDER_ABSENT)

Line = tuple[str, str, dict[str, Any]]
"""Level, event, fields."""


class TellingStore(SqliteStore):
    """A store whose commits are told in the log."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._untold: deque[CommitBatch] = deque()
        self._lines: Iterator[Line] = iter(())
        self._is_telling = False

    def commit(self, batch: CommitBatch) -> None:
        super().commit(batch)
        self._untold.append(batch)
        if self._is_telling:
            return
        try:
            asyncio.get_running_loop().call_later(_MOMENT_S, self._tell_on)
        except RuntimeError:  # no loop turns before the start and after the end
            self._tell_all()
        else:
            self._is_telling = True

    def close(self) -> None:
        super().close()
        self._tell_all()

    def _tell_on(self) -> None:
        """One line, then the loop has its turn: a line takes up to a tenth of a millisecond, and ticks go first."""
        self._is_telling = self._tell_one()
        if self._is_telling:
            asyncio.get_running_loop().call_soon(self._tell_on)

    def _tell_all(self) -> None:
        while self._tell_one():
            pass

    def _tell_one(self) -> bool:
        """Whether there was one."""
        line = next(self._lines, None)
        while line is None:
            if not self._untold:
                return False
            self._lines = lines_of(self._untold.popleft())
            line = next(self._lines, None)
        level, event, fields = line
        logger.bind(event=event, **fields).log(level, event)
        return True


def lines_of(batch: CommitBatch) -> Iterator[Line]:
    """Moves and fills at INFO, refusals and questions in vain at DEBUG; an anomaly is told by whoever met it."""
    for fill in batch.fills:
        order = batch.records.get(("order", fill.client_order_id))
        fields = {
            "order": fill.client_order_id,
            "position": _position_of(order[0]) if order else "",
            "symbol": fill.symbol,
            "fill": fill.id,
            "side": str(fill.side),
            "amount": fill.amount,
            "price": fill.price,
            "fee": fill.fee,
            "fee_currency": fill.fee_currency,
        }
        yield "INFO", "fill_booked", _said(fields)
    for entry in batch.journal:
        if entry.outcome == Outcome.MOVED:
            yield _level_of(entry), entry.event, _said(_move(entry, batch))
        elif entry.outcome == Outcome.REFUSED:
            because = "; ".join(f"{one.guard}: {one.because}" for one in entry.verdicts if not one.holds)
            yield "DEBUG", "refused", _said({**_move(entry, batch), "on": entry.event, "because": because})


def _level_of(entry: JournalEntry) -> str:
    """An order that is unknown is asked for again and again: what that leaves as it was is no news."""
    asked_in_vain = entry.source == entry.target == UNKNOWN and entry.event in _IN_VAIN
    return "DEBUG" if entry.machine == ORDER.name and asked_in_vain else "INFO"


def _move(entry: JournalEntry, batch: CommitBatch) -> dict[str, Any]:
    """The reason is the one that this very move gave: its record keeps that of an earlier one."""
    found = batch.records.get((entry.machine, entry.subject_id))
    record = found[0] if found else None
    return {
        entry.machine: entry.subject_id,
        **({"position": _position_of(record)} if isinstance(record, OrderRecord) else {}),
        "symbol": getattr(record, "symbol", ""),
        "from": entry.source,
        "to": entry.target,
        "reason": entry.changes.get("reason", ""),
        "note": entry.note,
        **(_end(record) if isinstance(record, PositionRecord) else {}),
    }


def _position_of(record: Any) -> str:
    return str(getattr(record, "position_id", ""))


def _end(position: PositionRecord) -> dict[str, Any]:
    """Why it leaves, from the moment at which it is told to, and in the end its money."""
    exit_reason = str(position.exit_reason) if position.exit_reason else ""
    return {"exit": exit_reason, "result": position.realized_pnl if position.closed_at_ms else None}


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", None)}
