"""A running engine on the paper exchange with everything that watches it, time and prices in the test's hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmarks.bench_engine import Bench, bench
from dirigent.configuration.settings import Settings, load_settings
from dirigent.heartbeat import Heartbeat
from dirigent.wiring import Engine
from services.clocks import GivenClock
from services.messages import PairRules
from services.reconciliation.reconciler import Reconciler


@dataclass(frozen=True)
class Stage:
    bench: Bench
    settings: Settings
    heartbeat: Heartbeat
    reconciler: Reconciler

    @property
    def engine(self) -> Engine:
        return self.bench.engine

    @property
    def clock(self) -> GivenClock:
        return self.bench.clock

    @property
    def symbol(self) -> str:
        return self.engine.symbols[0]

    def wait(self, seconds: float) -> None:
        self.clock.set(self.clock.now_ms() + int(seconds * 1000))

    async def deal(self, number: int = 1, exit_price: str | None = "80.00") -> None:
        """Buys at 100; sells when the price falls to the stop-loss."""
        await self.bench.tick(self.symbol, "100.00")
        await self.bench.buy(self.symbol, f"s{number}")
        await self.bench.settle()
        if exit_price is not None:
            await self.bench.tick(self.symbol, exit_price)
            await self.bench.settle()
            assert not self.engine.state.working.positions

    def beat(self) -> None:
        self.engine.state.save_progress(self.heartbeat.beat())


@asynccontextmanager
async def staged(pairs: int = 1, rules: PairRules | None = None, **sections: Any) -> AsyncIterator[Stage]:
    exits = rules or PairRules("", stop_loss=Decimal("0.1"))
    async with bench(pairs, "external", exits) as made:
        written = {"database": str(made.store.path), **sections}
        settings = load_settings([], written, environment={})
        reconciler = Reconciler(made.engine.orchestrator, made.exchange, made.store)
        heartbeat = Heartbeat(
            made.engine, made.clock, "paper", "paper", made.clock.now_ms(), reconciler=reconciler
        )
        yield Stage(made, settings, heartbeat, reconciler)
