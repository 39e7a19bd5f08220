"""What a replay tells at its end: deals, win rate, profit, fees, drawdown, exit reasons."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from dirigent.output import print_json, text
from dirigent.wiring import Engine
from fsm.position import ABANDONED, CLOSED, DUST
from fsm.values import ZERO, base_of, quote_of
from persistence import queries
from services.exchanges.recording_scan import Recording
from services.risk_management import RiskManagementService

MARK_EVERY_ROWS = 100
_CENT = Decimal("0.0001")


@dataclass(slots=True)
class Curve:
    """The equity at every transition and every hundred rows: its ends, and its deepest fall from a peak before."""

    risk: RiskManagementService
    first: Decimal | None = None
    last: Decimal = ZERO
    peak: Decimal = ZERO
    drawdown: Decimal = ZERO
    drawdown_fraction: Decimal = ZERO
    transitions: int = 0
    next_row: int = 0
    """It is to follow when the transitions differ, or this row is reached."""

    def follow(self, transitions: int, row: int) -> None:
        self.transitions, self.next_row = transitions, row + MARK_EVERY_ROWS
        self.mark()

    def mark(self) -> None:
        equity = self.last = self.risk.equity()
        if self.first is None:
            self.first = equity
        if equity > self.peak:
            self.peak = equity
        elif self.peak - equity > self.drawdown:
            self.drawdown = self.peak - equity
            self.drawdown_fraction = self.drawdown / self.peak


@dataclass(frozen=True, slots=True)
class Played:
    """How the replay itself went."""

    rows: int
    seconds: float
    curve: Curve


def report_of(path: Path, engine: Engine, recordings: Sequence[Recording], played: Played) -> dict[str, Any]:
    """Sums up the books in the store at `path`; amounts in the quote currency."""
    positions = queries.positions(path)
    closed = [position for position in positions if position["state"] in (CLOSED, DUST)]
    results = [position["realized_pnl"] for position in closed]
    wins = sum(result > 0 for result in results)
    curve = played.curve
    ticks = engine.state.metrics.ticks
    return {
        "files": [recording.path.name for recording in recordings],
        "pairs": engine.symbols,
        "quote": quote_of(engine.symbols[0]),
        "from_at": min(recording.first_ms for recording in recordings),
        "until_at": max(recording.last_ms for recording in recordings),
        "rows": played.rows,
        "ticks": ticks,
        "bad_ticks": engine.state.metrics.bad_ticks,
        "deals": len(closed),
        "wins": wins,
        "losses": len(closed) - wins,
        "win_rate": round(wins / len(closed), 4) if closed else None,
        "profit": sum(results, ZERO),
        "fees": _fees(path),
        "max_drawdown": curve.drawdown,
        "max_drawdown_fraction": curve.drawdown_fraction.quantize(_CENT),
        "exit_reasons": dict(Counter(position["exit_reason"] for position in closed).most_common()),
        "abandoned": sum(position["state"] == ABANDONED for position in positions),
        "open_at_end": len(engine.state.working.positions),
        "signals_refused": engine.state.metrics.refusals,
        "equity_at_start": curve.first,
        "equity_at_end": curve.last,
        "seconds": round(played.seconds, 3),
        "ticks_per_s": round(ticks / played.seconds) if played.seconds else None,
    }


def _fees(path: Path) -> Decimal:
    """A fee taken from the base coin counts at its own fill's price."""
    total = ZERO
    for fill in queries.fills(path):
        paid_in_base = fill["fee_currency"] == base_of(fill["symbol"])
        total += fill["fee"] * fill["price"] if paid_in_base else fill["fee"]
    return total


def print_report(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else text(value, name, digits=10)
        click.echo(f"{name.replace('_', ' '):<{width}}  {shown}")
