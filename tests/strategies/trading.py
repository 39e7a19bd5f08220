"""An engine that trades on the paper exchange at given prices, and whose strategies are swapped meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from dirigent.configuration.sections import StrategyChoice
from dirigent.wiring import Engine, Parts, build
from fsm.records import PositionRecord
from persistence import journal_queries
from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.deals.order_ids import position_id
from services.exchanges.paper import PaperExchange, PaperSettings
from services.exchanges.price_point import PricePoint
from services.messages import OrderNews, PairRules, RiskLimits
from services.resumption import resume
from services.swapping import Swapped, Swapper

START_MS = 1_700_000_000_000
PAIR = "BTC/USDT"
AT_ONCE = PaperSettings(balances={"USDT": Decimal(10**6)}, latency_ms=(0, 0), ticks_per_s=0)
RULES = PairRules("", take_profit=Decimal("0.004"), stop_loss=Decimal("0.01"))
LIMITS = RiskLimits(max_open_deals=100, max_spread=None, max_price_jump=None)


@dataclass(slots=True)
class GivenPrices:
    last: dict[str, Decimal] = field(default_factory=dict)

    def next_point(self, symbol: str) -> PricePoint | None:
        price = self.last.get(symbol)
        return None if price is None else PricePoint(symbol, price, price, price)


def walk(seed: int, length: int) -> list[str]:
    """Prices that wander enough for an average to be crossed now and then."""
    draw, price, prices = random.Random(seed), 100.0, []
    for _ in range(length):
        price *= 1 + draw.gauss(0, 0.002)
        prices.append(f"{price:.2f}")
    return prices


@dataclass(slots=True)
class Trading:
    engine: Engine
    store: SqliteStore
    exchange: PaperExchange
    prices: GivenPrices
    clock: GivenClock
    swapper: Swapper

    async def tick(self, **prices: str) -> None:
        """One price of each market at once; returns when all that it caused is over. `BTC` stands for BTC/USDT."""
        self.clock.set(self.clock.now_ms() + 1_000)
        tickers = []
        for coin, price in prices.items():
            self.prices.last[f"{coin}/USDT"] = Decimal(price)
            tickers.append(await self.exchange.watch_ticker(f"{coin}/USDT"))
        await asyncio.gather(*map(self.engine.orchestrator.process_market_tick, tickers))
        await self._settle()

    async def _settle(self) -> None:
        state = self.engine.state
        await state.settle()
        reports = await self.exchange.watch_orders() if state.working.orders else []
        for report in reports:
            state.deliver(OrderNews(report.client_order_id, report.symbol, report))
        await self.engine.orchestrator.update_open_positions()

    async def play(self, prices: Sequence[str], coin: str = "BTC") -> None:
        for price in prices:
            await self.tick(**{coin: price})

    async def ended(self, swap: "asyncio.Task[Swapped]") -> Swapped:
        """A swap whose trial the prices so far were enough for."""
        for _ in range(100):
            await asyncio.sleep(0)
        assert swap.done(), "the prices were too few for its trial"
        return swap.result()

    def deals(self) -> list[tuple[Any, ...]]:
        """Every deal with its signal, its reasons and its money, but not by whom it was decided."""
        state = self.engine.state
        ids = [position_id(state.tag, number + 1) for number in range(state.last_position_number)]
        positions = [position for each in ids if (position := state.position(each)) is not None]
        return sorted(map(_deal, positions))

    def notes(self, symbol: str = PAIR) -> list[str]:
        """What the journal has beside the changes of strategies, in their order."""
        rows = journal_queries.entries(self.store.path, symbol)
        return [str(row["note"]) for row in rows if row["event"] == "configured" and row["note"]]

    def described(self, symbol: str = PAIR) -> str:
        return self.engine.state.pair(symbol).strategy

    def permission(self, symbol: str = PAIR) -> str:
        return self.engine.state.permission(symbol).state


def _deal(position: PositionRecord) -> tuple[Any, ...]:
    return (
        position.symbol,
        position.signal_id,
        position.created_at_ms,
        position.closed_at_ms,
        str(position.exit_reason),
        position.bought,
        position.spent,
        position.sold,
        position.received,
        position.realized_pnl,
        position.rules,
    )


@asynccontextmanager
async def trading(
    path: Path,
    choices: Mapping[str, StrategyChoice],
    *,
    recent_samples: int = 300,
    budget_ms: float = 0,
    rules: PairRules = RULES,
) -> AsyncIterator[Trading]:
    """`choices` by symbol; the database is `path`, new or left by another."""
    clock, prices = GivenClock(START_MS), GivenPrices()
    exchange = PaperExchange(
        path.with_suffix(".exchange"), symbols=list(choices), settings=AT_ONCE, clock=clock, prices=prices
    )
    await exchange.open()
    try:
        with SqliteStore.open(path, tag="dtest") as store:
            parts = Parts(
                store,
                exchange,
                clock,
                {symbol: replace(rules, symbol=symbol) for symbol in choices},
                {symbol: (choice,) for symbol, choice in choices.items()},
                LIMITS,
                recent_samples=recent_samples,
                strategy_budget_ms=budget_ms,
            )
            engine = build(parts)
            await resume(engine.orchestrator, exchange, store.load(), engine.symbols)
            yield Trading(engine, store, exchange, prices, clock, Swapper(engine.orchestrator))
    finally:
        await exchange.close()


def choice(name: str, **params: object) -> StrategyChoice:
    return StrategyChoice.model_validate({"name": name, "params": params})
