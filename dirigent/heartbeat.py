"""What the daemon writes down about itself every second, and the line it shows on a terminal."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from loguru import logger

from dirigent import order_books, price_ages
from dirigent.wiring import Engine
from fsm.commit import Progress
from fsm.refusals import Assessment
from services.assessment import Assessor
from services.ports import Clock
from services.reconciliation.plan import told
from services.reconciliation.reconciler import Reconciler
from services.resumption import checkpoint_of

CHECKPOINTS_A_BEAT = 50
"""Symbols whose indicators one beat saves, in turn, so that a thousand pairs do not stall a tick."""

ASSESSMENTS_A_BEAT = 25
"""Symbols whose guards one beat asks, in turn, for people who want to know why: 60 µs each."""


@dataclass(slots=True)
class Heartbeat:
    """Builds progress reports for one run."""

    engine: Engine
    clock: Clock
    mode: str
    exchange: str
    started_at_ms: int
    reconciler: Reconciler
    connection: Callable[[], dict[str, Any]] = dict
    """What is to be told of the way to the exchange."""
    assessor: Assessor = field(init=False)
    _ticks_before: int = 0
    _at_before_ms: int = 0
    _rate: float = 0.0
    _next: int = 0
    _next_asked: int = 0

    def __post_init__(self) -> None:
        self.assessor = Assessor(self.engine.orchestrator)

    def beat(self, *, everything: bool = False) -> Progress:
        """`everything` saves the indicators of all symbols, as a stop does."""
        now_ms = self.clock.now_ms()
        symbols, refusals = self.engine.symbols, self.engine.state.refusals
        turn = symbols if everything else self._in_turn(symbols)
        return Progress(
            at_ms=now_ms,
            heartbeat=self._facts(now_ms),
            feeds=[self._feed(symbol) for symbol in symbols],
            checkpoints={symbol: checkpoint_of(self.engine.orchestrator, symbol) for symbol in turn},
            refusals=refusals.all() if everything else refusals.take_changed(),
            assessments=self._assessments(symbols if everything else self._asked_in_turn(symbols), now_ms),
        )

    def _assessments(self, symbols: list[str], now_ms: int) -> list[Assessment]:
        try:
            return self.assessor.assess(symbols, now_ms)
        except Exception as error:  # what only answers people's questions must not end the run
            logger.bind(event="not_assessed", error=repr(error)).warning("not_assessed")
            return []

    def _asked_in_turn(self, symbols: list[str]) -> list[str]:
        self._next_asked, turn = _turn_of(symbols, self._next_asked, ASSESSMENTS_A_BEAT)
        return turn

    def _in_turn(self, symbols: list[str]) -> list[str]:
        self._next, turn = _turn_of(symbols, self._next, CHECKPOINTS_A_BEAT)
        trailing = [symbol for symbol in symbols if self._trails(symbol)]
        return list(dict.fromkeys([*turn, *trailing]))

    def _trails(self, symbol: str) -> bool:
        """A trailing stop's highest price is kept at every beat: losing it would loosen the stop."""
        watches = self.engine.state.working.watches.get(symbol, {})
        return any(watch.trail is not None for watch in watches.values())

    def _feed(self, symbol: str) -> tuple[str, str, int, str]:
        market = self.engine.market.market(symbol)
        return symbol, str(market.last), market.at_ms, self.engine.signals.why_not(symbol)

    def _facts(self, now_ms: int) -> dict[str, Any]:
        state = self.engine.state
        metrics, plan, connection = state.metrics, self.reconciler.last_plan, self.connection()
        if now_ms - self._at_before_ms >= 1000:
            self._rate = (metrics.ticks - self._ticks_before) * 1000 / max(now_ms - self._at_before_ms, 1)
            self._ticks_before, self._at_before_ms = metrics.ticks, now_ms
        return {
            "mode": self.mode,
            "exchange": self.exchange,
            "pid": os.getpid(),
            "started_at_ms": self.started_at_ms,
            "at_ms": now_ms,
            "ticks": metrics.ticks,
            "bad_ticks": metrics.bad_ticks,
            "last_bad_tick": metrics.last_bad_tick,
            "ticks_per_s": round(self._rate, 1),
            "tick_ms_p50": round(metrics.tick_latency.quantile_ms(0.5), 4),
            "tick_ms_p99": round(metrics.tick_latency.quantile_ms(0.99), 4),
            "equity": self.engine.risk.equity(),
            "store_fault": state.store_fault,
            "reconciled_at_ms": self.reconciler.reconciled_at_ms,
            "differences": [told(row) for row in plan.differences],
            "differences_at_ms": plan.asked_at_ms,
            "not_compared": list(plan.not_compared),
            "balance": {
                currency: {"free": balance.free, "used": balance.used, "total": balance.total}
                for currency, balance in state.balances.items()
            },
            **connection,
            **price_ages.told(self.engine, connection.get("feeds") or (), now_ms),
            **order_books.told(self.engine, now_ms),
        }

    def line(self) -> str:
        """One line for a person: what lives, what it is worth, how fast it runs."""
        state = self.engine.state
        pairs = Counter(pair.state for pair in state.working.pairs.values())
        words = " ".join(f"{count} {name}" for name, count in sorted(pairs.items()))
        equity = self.engine.risk.equity().quantize(Decimal("0.01"))
        bad = f" · {state.metrics.bad_ticks} bad ticks" if state.metrics.bad_ticks else ""
        fault = f" · STORE FAULT, no new orders: {state.store_fault}" if state.store_fault else ""
        return (
            f"pairs: {words} · positions: {len(state.working.positions)} · orders: {len(state.working.orders)}"
            f" · equity {equity} · {self._rate:.0f} ticks/s"
            f" · tick p99 {state.metrics.tick_latency.quantile_ms(0.99):.3f} ms{bad}{fault}"
        )


def _turn_of(symbols: list[str], first: int, size: int) -> tuple[int, list[str]]:
    """So many symbols from there on, round and round, none twice; and where the next turn begins."""
    if len(symbols) <= size:
        return 0, symbols
    first %= len(symbols)
    return first + size, [*symbols, *symbols][first : first + size]
