"""The prices of one history: they move at the exchange, and reach the process late, wrong, or not at all."""

from collections.abc import Callable
from functools import partial
from typing import Any

from dirigent.proofs.simulation.exchange import SimulatedExchange
from dirigent.proofs.simulation.process import Process
from dirigent.proofs.simulation.terms import Terms
from dirigent.proofs.simulation.virtual_loop import US
from dirigent.proofs.simulation.world import World


class Prices:
    """`present` names the process that lives now, if one does."""

    def __init__(
        self, world: World, terms: Terms, exchange: SimulatedExchange, present: Callable[[], Process | None]
    ) -> None:
        self._world = world
        self._terms = terms
        self._exchange = exchange
        self._present = present
        self._skew_ms = 0
        self._stalled_until_us = dict.fromkeys(terms.symbols, 0)

    def begin(self, symbol: str) -> None:
        self._world.after(self._world.random.uniform(0, 1), partial(self._tick, symbol))

    def _tick(self, symbol: str) -> None:
        world, process = self._world, self._present()
        pause_s = self._terms.tick_s * world.random.uniform(0.2, 1.8)
        world.after(pause_s if world.faults.armed else 2.0, partial(self._tick, symbol))
        point = self._exchange.move_price(symbol)
        is_heard = self._is_heard(symbol, process)
        if is_heard:
            world.count("tick")
        if world.happens("clock_skewed"):
            self._skew_ms = world.faults.stream("clock_skewed").randint(-4000, 90_000)
        if world.happens("feed_stalled", symbol):
            stall_s = world.faults.stream("feed_stalled").uniform(5, 60)
            self._stalled_until_us[symbol] = world.now_us + int(stall_s * US)
        if process is None or not is_heard:
            return
        if world.happens("feed_failed", symbol):
            process.desk.price(symbol, ConnectionError("reset"))
            return
        ticker: dict[str, Any] = {
            "symbol": symbol,
            "timestamp": world.now_ms() + (self._skew_ms if world.faults.armed else 0),
            "last": str(point.last),
            "bid": str(point.bid),
            "ask": str(point.ask),
        }
        if world.happens("bad_tick", symbol):
            ticker["last"] = "NaN"
        process.desk.price(symbol, ticker)

    def _is_heard(self, symbol: str, process: Process | None) -> bool:
        if process is None or not process.is_trading:
            return False
        return not self._world.faults.armed or self._world.now_us >= self._stalled_until_us[symbol]
