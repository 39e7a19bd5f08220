"""An engine to measure: the real services and store over the paper exchange; prices and time are given."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dirigent.configuration.sections import StrategyChoice
from dirigent.wiring import Engine, Parts, build
from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.exchanges.paper import PaperExchange, PaperSettings
from services.exchanges.price_point import PricePoint
from services.messages import OrderNews, OrderReport, PairRules, RiskLimits
from services.resumption import resume

START_MS = 1_700_000_000_000
LIMITS = RiskLimits(max_open_deals=1_000_000, max_spread=None, max_price_jump=None)
AT_ONCE = PaperSettings(
    balances={"USDT": Decimal(10**9)}, latency_ms=(0, 0), ticks_per_s=0, slippage=Decimal(0)
)


@dataclass(slots=True)
class GivenPrices:
    """A market that stands where it was put."""

    last: dict[str, Decimal] = field(default_factory=dict)

    def next_point(self, symbol: str) -> PricePoint | None:
        price = self.last.get(symbol)
        return None if price is None else PricePoint(symbol, price, price, price)


@dataclass(slots=True)
class Bench:
    """An engine with what it is driven by."""

    engine: Engine
    store: SqliteStore
    exchange: PaperExchange
    prices: GivenPrices
    clock: GivenClock

    async def price(self, symbol: str, price: str) -> Mapping[str, Any]:
        """The market moves; its ticker, a millisecond after the last."""
        self.prices.last[symbol] = Decimal(price)
        self.clock.set(self.clock.now_ms() + 1)
        return await self.exchange.watch_ticker(symbol)

    async def tick(self, symbol: str, price: str) -> None:
        await self.engine.orchestrator.process_market_tick(await self.price(symbol, price))

    async def buy(self, symbol: str, identity: str) -> None:
        """Raises RuntimeError when the signal was not taken: figures without deals mean nothing."""
        signal = {"id": identity, "symbol": symbol, "at": self.clock.now_ms()}
        decision = await self.engine.orchestrator.handle_buy_signal(signal)
        if not decision.taken:
            raise RuntimeError(f"{identity} did not become a deal: {decision.because}")

    async def settle(self) -> None:
        """Until every order sent is answered and booked."""
        await self.engine.state.settle()
        reports: list[OrderReport] = (
            await self.exchange.watch_orders() if self.engine.state.working.orders else []
        )
        for report in reports:
            self.engine.state.deliver(OrderNews(report.client_order_id, report.symbol, report))
        await self.engine.orchestrator.update_open_positions()


@asynccontextmanager
async def bench(pairs: int, strategy: str, rules: PairRules | None = None) -> AsyncIterator[Bench]:
    """`pairs` pairs that all use `strategy`, started, in a folder that goes with the measurement."""
    symbols = [f"C{number}/USDT" for number in range(pairs)]
    clock, prices = GivenClock(START_MS), GivenPrices()
    template = rules or PairRules("")
    with TemporaryDirectory(prefix="dirigent-bench-") as folder:
        exchange = PaperExchange(
            Path(folder) / "exchange.sqlite", symbols=symbols, settings=AT_ONCE, clock=clock, prices=prices
        )
        await exchange.open()
        with SqliteStore.open(Path(folder) / "bench.sqlite") as store:
            engine = build(
                Parts(
                    store,
                    exchange,
                    clock,
                    {symbol: replace(template, symbol=symbol) for symbol in symbols},
                    dict.fromkeys(symbols, (StrategyChoice(name=strategy, weight=1, params={}),)),
                    LIMITS,
                )
            )
            await resume(engine.orchestrator, exchange, store.load(), symbols)
            yield Bench(engine, store, exchange, prices, clock)
        await exchange.close()


def quantile(values: list[float], fraction: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]
