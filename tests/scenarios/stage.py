"""Tells a story to the real services over the real store and the paper exchange, in the story's own time."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Self

from dirigent.wiring import Engine, Parts, build
from fsm.commit import Progress
from persistence.store import SqliteStore
from run_realtime_trading import watch_orders
from services.clocks import GivenClock
from services.deals.booking import floor_to_step
from services.resumption import checkpoint_of, resume
from services.trading_orchestrator import Decision
from tests.scenarios.faulty_exchange import FaultyExchange, StoryPrices
from tests.scenarios.story import StoryError
from tests.scenarios.terms import SYMBOL, Terms

SECOND_MS = 1000
_QUIET_ROUNDS = 12
"""So often nothing must have happened in the event loop before the stage holds everything as said."""


class Stage:
    """One verb a method; `phrases` has the sentences that call them."""

    def __init__(self, terms: Terms, directory: Path) -> None:
        self.terms = terms
        self.database = directory / "story.sqlite"
        self.exchange_file = directory / "story.paper-exchange.sqlite"
        self.clock = GivenClock(terms.begin_ms)
        self.prices = StoryPrices(terms.exchange.spread, terms.market.price_step)
        self.price = Decimal(0)
        self.decision = Decision()
        self.live_orders_allowed = False
        self._buys = self._sells = 0
        self._positions_before = 0
        self._store: SqliteStore
        self._listener: asyncio.Task[None]
        self.exchange: FaultyExchange
        self.engine: Engine

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _open(self) -> None:
        terms = self.terms
        self._store = SqliteStore.open(self.database)
        settings = replace(terms.exchange, rules={SYMBOL: terms.market})
        self.exchange = FaultyExchange(
            self.exchange_file, symbols=[SYMBOL], settings=settings, clock=self.clock, prices=self.prices
        )
        await self.exchange.open()
        rules, strategies = {SYMBOL: terms.pair}, {SYMBOL: [terms.strategy]}
        self.engine = build(Parts(self._store, self.exchange, self.clock, rules, strategies, terms.limits))
        await resume(self.engine.orchestrator, self.exchange, self._store.load(), [SYMBOL])
        self._listener = asyncio.create_task(watch_orders(self.exchange, self.engine.orchestrator))

    async def _close(self) -> None:
        self._listener.cancel()
        with suppress(asyncio.CancelledError):
            await self._listener
        await self.exchange.close()
        self._store.close()

    async def _settle(self) -> None:
        """Lets everything happen that needs no further time. Nothing here waits for a clock."""
        state, quiet, seen = self.engine.state, 0, -1
        for _ in range(100_000):
            if self._listener.done():
                self._listener.result()
            busy = bool(state.effects_under_way) or state.metrics.transitions != seen
            quiet, seen = (0 if busy else quiet + 1), state.metrics.transitions
            if quiet > _QUIET_ROUNDS:
                return
            await asyncio.sleep(0)
        raise StoryError("the engine does not come to rest")

    async def _pass_time(self, duration_ms: int) -> None:
        """Every second what is due fires, as in the trading loop."""
        until_ms = self.clock.now_ms() + duration_ms
        while self.clock.now_ms() < until_ms:
            self.clock.set(min(self.clock.now_ms() + SECOND_MS, until_ms))
            await self.engine.orchestrator.update_open_positions()
            await self._settle()

    async def _tick(self, price: Decimal, *, gap: bool = False) -> None:
        await self._pass_time(self.terms.tick_ms)
        self.price = floor_to_step(price, self.terms.market.price_step)
        self.prices.bring(SYMBOL, self.price, gap=gap)
        ticker = await self.exchange.watch_ticker(SYMBOL)
        await self.engine.orchestrator.process_market_tick(ticker)
        await self._settle()

    async def _walk(self, begin: Decimal | None, end: Decimal, count: int) -> None:
        if begin is not None and begin != self.price:
            raise StoryError(f"the price is {self.price:f}, not {begin:f}")
        start = self.price
        for number in range(1, count + 1):
            await self._tick(start + (end - start) * number / count)

    async def start(self, price: Decimal) -> None:
        await self._tick(price)

    async def rise(self, end: Decimal, count: int, begin: Decimal | None = None) -> None:
        if end <= self.price:
            raise StoryError(f"the price is {self.price:f}: to {end:f} is no rise")
        await self._walk(begin, end, count)

    async def fall(self, end: Decimal, count: int, begin: Decimal | None = None) -> None:
        if end >= self.price:
            raise StoryError(f"the price is {self.price:f}: to {end:f} is no fall")
        await self._walk(begin, end, count)

    async def gap(self, price: Decimal) -> None:
        await self._tick(price, gap=True)

    async def swing(self, low: Decimal, high: Decimal, count: int, period: int) -> None:
        """Up and down in straight lines, from the low."""
        for number in range(count):
            phase = Decimal(number % period) / period * 2
            await self._tick(low + (high - low) * (phase if phase <= 1 else 2 - phase))

    async def stay(self, count: int) -> None:
        for _ in range(count):
            await self._tick(self.price)

    async def freeze(self, duration: int) -> None:
        await self._pass_time(duration)

    async def thin_book(self, amount: Decimal) -> None:
        """From the next tick on each price offers so much and no more."""
        self.prices.volume = amount

    async def deep_book(self) -> None:
        self.prices.volume = None

    async def buy(self) -> None:
        self._buys += 1
        await self.buy_again()

    async def buy_again(self) -> None:
        self._positions_before = self.engine.state.last_position_number
        signal = {"id": f"buy-{self._buys}", "symbol": SYMBOL, "reason": "the story says so"}
        self.decision = await self.engine.orchestrator.handle_buy_signal(signal)
        await self._settle()

    @property
    def positions_since_signal(self) -> int:
        """How many positions were born since the last buy signal was offered."""
        return self.engine.state.last_position_number - self._positions_before

    async def sell(self) -> None:
        self._sells += 1
        signal = {"id": f"sell-{self._sells}", "symbol": SYMBOL, "reason": "the story says so"}
        await self.engine.orchestrator.handle_sell_signal(signal)
        await self._settle()

    async def reject_next_order(self) -> None:
        self.exchange.faults.append("reject")

    async def lose_next_order(self) -> None:
        self.exchange.faults.append("lose order")

    async def lose_next_answer(self) -> None:
        self.exchange.faults.append("lose answer")

    async def restart(self) -> None:
        """As after a beat of the heart: what the ticks built up was saved just before."""
        state = {SYMBOL: checkpoint_of(self.engine.orchestrator, SYMBOL)}
        self.engine.state.save_progress(Progress(self.clock.now_ms(), checkpoints=state))
        await self._close()
        await self._open()
        await self._settle()

    async def order_may_stay(self) -> None:
        self.live_orders_allowed = True
