"""An engine on the bench: real services over the real store, with clock and exchange in the test's hand."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from dirigent.wiring import Choice, Engine, Memory, Parts, build
from fsm.records import OrderRecord, PairRecord, PositionRecord
from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.deals.order_ids import position_id
from services.messages import OrderNews, OrderReport, PairRules, RiskLimits
from services.order_execution import OrderTimings
from services.ports import Clock
from services.resumption import Resumption, resume
from services.trading_orchestrator import Decision, TradingOrchestrator
from tests.services.desks import ScriptedDesk
from tests.services.reports import PAIR

NOW_MS = 1_700_000_000_000
"""2023-11-14T22:13:20Z."""


@dataclass(frozen=True)
class External:
    """Signals come from the test."""

    name: str = "external"
    weight: float = 1.0
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class SmaCross(External):
    """Signals come from averages that cross soon."""

    name: str = "sma_cross"
    params: Mapping[str, object] = field(default_factory=lambda: {"fast": 2, "slow": 4})


@dataclass
class Plan:
    """What an engine is made of; the rest is usual."""

    desk: ScriptedDesk
    rules: PairRules | Mapping[str, PairRules] = field(default_factory=lambda: limit_rules())
    limits: RiskLimits = field(default_factory=RiskLimits)
    timings: OrderTimings = field(default_factory=OrderTimings)
    clock: Clock = field(default_factory=lambda: GivenClock(NOW_MS))
    strategy: Choice = field(default_factory=External)
    patience_s: float = 1


def limit_rules(**others: Any) -> PairRules:
    return PairRules(PAIR, **{"order_type": "limit", **others})


def market_rules(**others: Any) -> PairRules:
    return PairRules(PAIR, **{"order_type": "market", **others})


@dataclass
class Bench:
    """Handles to one running engine; every method returns once all that it caused is over."""

    plan: Plan
    engine: Engine
    store: Memory
    resumption: Resumption
    signals: int = 0

    @property
    def orchestrator(self) -> TradingOrchestrator:
        return self.engine.orchestrator

    @property
    def desk(self) -> ScriptedDesk:
        return self.plan.desk

    @property
    def now_ms(self) -> int:
        return self.plan.clock.now_ms()

    async def settle(self) -> None:
        assert await self.engine.state.settle(5)

    async def wait(self, seconds: float) -> None:
        """Time passes, and the deadlines that are due by then are applied."""
        assert isinstance(self.plan.clock, GivenClock)
        self.plan.clock.set(self.now_ms + round(seconds * 1000))
        await self.update()

    async def update(self) -> None:
        await self.orchestrator.update_open_positions()
        await self.settle()

    async def price(self, price: str, symbol: str = PAIR, **others: object) -> None:
        """The market trades at this price, which the engine hears after its orders' reports."""
        for report in self.desk.move(symbol, Decimal(price)):
            self.engine.state.deliver(OrderNews(report.client_order_id, report.symbol, report))
        await self.update()
        await self.orchestrator.process_market_tick(ticker(price, self.now_ms, symbol, **others))
        await self.settle()

    def _new_id(self) -> str:
        self.signals += 1
        return f"signal-{self.resumption.epoch}-{self.signals}"

    async def buy(self, symbol: str = PAIR, **others: object) -> Decision:
        data = {"id": self._new_id(), "symbol": symbol, **others}
        decision = await self.orchestrator.handle_buy_signal(data)
        await self.settle()
        return decision

    async def sell(self, symbol: str = PAIR, **others: object) -> Decision:
        data = {"id": self._new_id(), "symbol": symbol, **others}
        decision = await self.orchestrator.handle_sell_signal(data)
        await self.settle()
        return decision

    async def enter(self, price: str = "10") -> str:
        """A price and a buy signal that is taken; the entry order's id."""
        await self.price(price)
        decision = await self.buy()
        assert decision.taken, decision.because
        return self.position().entry_order_id

    async def hear(self, *reports: OrderReport) -> None:
        """The exchange's stream reports, each by itself."""
        for report in reports:
            self.engine.state.deliver(OrderNews(report.client_order_id, report.symbol, report))
            await self.update()

    def position(self, position_id: str = "") -> PositionRecord:
        """The position of that id, living or ended; without one the only position that lives."""
        if not position_id:
            (position_id,) = self.engine.state.working.positions
        position = self.engine.state.position(position_id)
        assert position is not None
        return position

    def every_position(self) -> list[PositionRecord]:
        """All that were ever born, living or ended."""
        state = self.engine.state
        ids = [position_id(state.tag, number + 1) for number in range(state.last_position_number)]
        return [position for each in ids if (position := state.position(each)) is not None]

    def order(self, client_order_id: str) -> OrderRecord:
        order = self.engine.state.order(client_order_id)
        assert order is not None
        return order

    def pair(self, symbol: str = PAIR) -> PairRecord:
        return self.engine.state.pair(symbol)

    def permission(self, scope: str = PAIR) -> str:
        return self.engine.state.permission(scope).state


def ticker(price: str, at_ms: int, symbol: str = PAIR, **others: object) -> dict[str, Any]:
    return {"symbol": symbol, "timestamp": at_ms, "last": price, "info": {}, **others}


def assemble(plan: Plan, memory: Memory) -> Engine:
    rules = {plan.rules.symbol: plan.rules} if isinstance(plan.rules, PairRules) else plan.rules
    strategies: dict[str, Sequence[Choice]] = dict.fromkeys(rules, (plan.strategy,))
    return build(Parts(memory, plan.desk, plan.clock, rules, strategies, plan.limits, plan.timings))


@asynccontextmanager
async def running(path: Path, plan: Plan) -> AsyncIterator[Bench]:
    """A started engine over the database at `path`, new or left by another; it is stopped without a word."""
    with SqliteStore.open(path, tag="dtest") as store:
        yield await started(plan, store)


async def started(plan: Plan, store: SqliteStore, memory: Memory | None = None) -> Bench:
    """`memory` stands between the engine and the store, to make it fail."""
    engine = assemble(plan, memory or store)
    resumption = await resume(
        engine.orchestrator, plan.desk, store.load(), engine.symbols, patience_s=plan.patience_s
    )
    bench = Bench(plan, engine, memory or store, resumption)
    await bench.settle()
    return bench
