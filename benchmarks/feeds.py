"""Prices over real sockets: 500 symbols at a tick a second, from a rehearsal exchange through ccxt to the decision."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.bench_engine import quantile
from dirigent.assembly import all_rules, assemble
from dirigent.configuration.settings import Settings, load_settings
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from dirigent.venues import opened
from persistence.store import SqliteStore
from run_realtime_trading import trade
from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.feeds import Feeds
from services.exchanges.live_paper import LivePaper
from services.resumption import resume
from services.tasks import end_tasks

SYMBOLS = tuple(f"C{number:03}/USDT" for number in range(500))
WARM_UP_S = 8.0
MEASURED_S = 10.0


@dataclass(slots=True)
class Figures:
    """`delays_ms` are from the exchange's time stamp of a price to its decision: socket, parser and queues included."""

    is_on: bool = False
    delays_ms: list[float] = field(default_factory=list)
    engine_s: float = 0.0
    ccxt_s: float = 0.0


def measure() -> list[str]:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        return asyncio.run(_measure(here.recv()))
    finally:
        here.send("end")
        server.join(10)


def _serve(pipe: Connection) -> None:
    asyncio.run(_rehearse(pipe))


async def _rehearse(pipe: Connection) -> None:
    """In a process of its own: its work is not the engine's."""
    async with Rehearsal(RehearsalSettings(symbols=SYMBOLS, ticks_per_s=1)) as server:
        pipe.send(server.ccxt_options())
        await asyncio.to_thread(pipe.recv)


def _settings(directory: Path, options: Mapping[str, Any]) -> Settings:
    pairs = [{"symbol": symbol, "strategy": "sma_cross"} for symbol in SYMBOLS]
    overrides = {
        "database": str(directory / "books.sqlite"),
        "exchange": {"id": "binance", "options": dict(options)},
        "pairs": pairs,
    }
    return load_settings((), overrides, {})


async def _measure(options: Mapping[str, Any]) -> list[str]:
    clock, figures = SystemClock(), Figures()
    with TemporaryDirectory() as directory:
        settings = _settings(Path(directory), options)
        with SqliteStore.open(settings.database, mode="paper", exchange="binance") as store:
            stored = store.load()
            rules = all_rules(settings, stored)
            async with opened(settings, list(rules), clock) as venue:
                assert isinstance(venue, LivePaper)
                engine = assemble(settings, rules, store, venue, clock)
                await resume(engine.orchestrator, venue, stored, engine.symbols)
                assert isinstance(venue.prices, Feeds)
                _time_ccxt(venue.prices.exchange, figures)
                _time_engine(engine.orchestrator, figures)
                running = asyncio.create_task(
                    trade(venue, engine.orchestrator, engine.symbols, asyncio.Event())
                )
                await asyncio.sleep(WARM_UP_S)
                figures.is_on, began_s, cpu_s = True, time.perf_counter(), time.process_time()
                await asyncio.sleep(MEASURED_S)
                figures.is_on = False
                wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
                stale = sum(feed.is_stale for feed in venue.feeds())
                await end_tasks((running,))
    return _told(figures, wall_s, cpu_s, stale)


def _time_engine(orchestrator: Any, figures: Figures) -> None:
    """Processor time: what other work takes meanwhile counts to neither side."""
    usual = orchestrator.process_market_tick

    async def process_market_tick(ticker: Mapping[str, Any]) -> None:
        began_s = time.thread_time()
        await usual(ticker)
        if figures.is_on:
            figures.engine_s += time.thread_time() - began_s
            figures.delays_ms.append(time.time() * 1000 - ticker["timestamp"])

    orchestrator.process_market_tick = process_market_tick


def _time_ccxt(exchange: Any, figures: Figures) -> None:
    """What ccxt does with a frame, and what its `watch_ticker` does before and after it waits."""
    usual_client, usual_watch = exchange.client, exchange.watch_ticker

    def client(url: str) -> Any:
        made = usual_client(url)
        if not getattr(made, "is_timed", False):
            made.is_timed, made.handle_message = True, _timed(made.handle_message, figures)
        return made

    async def watch_ticker(*given: Any) -> Any:
        return await _TimedSteps(usual_watch(*given), figures)

    exchange.client, exchange.watch_ticker = client, watch_ticker


def _timed(usual: Callable[[Any], None], figures: Figures) -> Callable[[Any], None]:
    def handle_message(message: Any) -> None:
        began_s = time.thread_time()
        usual(message)
        if figures.is_on:
            figures.ccxt_s += time.thread_time() - began_s

    return handle_message


@dataclass(slots=True)
class _TimedSteps:
    """Awaits a coroutine and adds up its steps, without the waits between them."""

    coroutine: Coroutine[Any, Any, Any]
    figures: Figures

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.coroutine.__await__()
        while True:
            began_s = time.thread_time()
            try:
                waited_for = next(steps)
            except StopIteration as end:
                return end.value
            finally:
                if self.figures.is_on:
                    self.figures.ccxt_s += time.thread_time() - began_s
            try:
                yield waited_for
            except BaseException:  # as at the end, when everything is cancelled
                steps.close()
                raise


def _told(figures: Figures, wall_s: float, cpu_s: float, stale: int) -> list[str]:
    ticks = len(figures.delays_ms)
    if not ticks or not figures.ccxt_s:
        raise RuntimeError("no price came through: these figures would mean nothing")
    p50, p99 = quantile(figures.delays_ms, 0.5), quantile(figures.delays_ms, 0.99)
    ccxt_us, engine_us = figures.ccxt_s / ticks * 1e6, figures.engine_s / ticks * 1e6
    return [
        f"{len(SYMBOLS)} symbols, {ticks / wall_s:.0f} ticks/s, {stale} stale:"
        f" from the exchange's stamp to the decision p50 {p50:.1f} ms, p99 {p99:.1f} ms (50 allowed)",
        f"a tick costs ccxt {ccxt_us:.0f} µs and the engine {engine_us:.0f} µs:"
        f" {Decimal(engine_us / ccxt_us * 100):.0f} % (25 allowed)",
        f"all in all {cpu_s / wall_s * 100:.0f} % of one core, {cpu_s / ticks * 1e6:.0f} µs a tick",
    ]
