"""Swaps: memory over many ticks with a swap every ten thousand, and what a tick costs beside a shadow."""

import argparse
import asyncio
import gc
import resource
import sys
import tracemalloc
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns

from loguru import logger

from benchmarks.bench_engine import AT_ONCE, LIMITS, START_MS, GivenPrices, quantile
from dirigent.configuration.sections import StrategyChoice
from dirigent.strategies_from_files import create
from dirigent.strategy_template import template_for
from dirigent.wiring import Engine, Parts, build
from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.exchanges.paper import PaperExchange
from services.messages import PairRules
from services.recent_samples import SAMPLE_BYTES
from services.resumption import resume
from services.signal_aggregation import WeightedStrategy
from services.strategies.beside import Trial
from services.strategies.warming import WarmUp
from services.swapping import Swapped, Swapper, Terms

TICKS = 300_000
SWAP_EVERY = 10_000
RECENT = 1_000
COST_TICKS = 30_000
SYMBOL = "C0/USDT"
TERMS = Terms(shadow_samples=100, probation_samples=600)


def measure(ticks: int = TICKS) -> list[str]:
    return asyncio.run(_measure(ticks))


async def _measure(ticks: int) -> list[str]:
    with TemporaryDirectory(prefix="dirigent-bench-") as name:
        folder = Path(name)
        files = [_written(folder, "one"), _written(folder, "two")]
        lines = [f"the recent past: {SAMPLE_BYTES * RECENT} bytes a pair of {RECENT} samples"]
        lines += await _costs(folder, files)
        return [*lines, *await _flat(folder, files, ticks)]


def _written(folder: Path, name: str) -> str:
    path = folder / f"{name}.py"
    kind, text = template_for(path)
    path.write_text(text, encoding="utf-8")
    return f"{path}:{kind}"


async def _engine(folder: Path, name: str, strategy: str, recent: int) -> tuple[Engine, SqliteStore]:
    """Started over an exchange that is not asked for prices: tickers are given."""
    clock = GivenClock(START_MS)
    exchange = PaperExchange(
        folder / f"{name}.exchange", symbols=[SYMBOL], settings=AT_ONCE, clock=clock, prices=GivenPrices()
    )
    await exchange.open()
    store = SqliteStore.open(folder / f"{name}.sqlite")
    choices = {SYMBOL: (StrategyChoice(name=strategy),)}
    engine = build(
        Parts(
            store,
            exchange,
            clock,
            {SYMBOL: PairRules(SYMBOL)},
            choices,
            LIMITS,
            recent_samples=recent,
            strategy_budget_ms=5 if recent else 0,
        )
    )
    await resume(engine.orchestrator, exchange, store.load(), [SYMBOL])
    await exchange.close()
    return engine, store


def _ticker(number: int, price: str) -> Mapping[str, object]:
    return {"symbol": SYMBOL, "timestamp": START_MS + number % 50_000, "last": price, "info": {}}


async def _costs(folder: Path, files: list[str]) -> list[str]:
    """The same standing price, four ways."""
    lines: list[str] = []
    for name, strategy, recent, beside in (
        ("built in, no past kept", "sma_cross", 0, 0),
        ("built in, past kept", "sma_cross", RECENT, 0),
        ("a user's file, timed", files[0], RECENT, 0),
        ("a user's file, another in shadow", files[0], RECENT, 1),
    ):
        engine, store = await _engine(folder, f"cost{len(lines)}", strategy, recent)
        if beside:
            made = [WeightedStrategy(create(files[1]))]
            trial = Trial(
                WarmUp(SYMBOL, made, engine.signals.budget_ns),
                engine.signals.panel(SYMBOL),
                10**9,
                "",
                lambda: None,
            )
            engine.signals.bench.try_out(trial)
        process = engine.orchestrator.process_market_tick
        durations_us = []
        for number in range(COST_TICKS):
            ticker = _ticker(number, "100.00")
            started_ns = perf_counter_ns()
            await process(ticker)
            durations_us.append((perf_counter_ns() - started_ns) / 1000)
        store.close()
        p50, p99 = quantile(durations_us, 0.5), quantile(durations_us, 0.99)
        lines.append(f"a tick, {name}: p50 {p50:.1f} µs, p99 {p99:.1f} µs")
    return lines


async def _flat(folder: Path, files: list[str], ticks: int) -> list[str]:
    """Every swap is of a file whose content is new, so that each loads another class."""
    engine, store = await _engine(folder, "flat", files[0], RECENT)
    swapper, process = Swapper(engine.orchestrator), engine.orchestrator.process_market_tick
    names = cycle(reversed(files))
    swaps = 0
    swap: asyncio.Task[Swapped] | None = None
    warm = max(ticks // 10, 3 * SWAP_EVERY)
    before, resident_before = 0, 0
    for number in range(warm + ticks):
        if number == warm:
            gc.collect()
            tracemalloc.start()
            resident_before = _peak_kib()
        if number == warm + SWAP_EVERY:
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
        if number % SWAP_EVERY == SWAP_EVERY // 2:
            made = [WeightedStrategy(create(_rewritten(next(names), number)))]
            swap = asyncio.create_task(swapper.swap(SYMBOL, made, TERMS))
        await process({**_ticker(0, "100.00"), "timestamp": START_MS})
        if swap is not None:
            await asyncio.sleep(0)
            if swap.done():
                if not swap.result().taken:
                    raise RuntimeError(f"refused, so the figure would mean nothing: {swap.result()}")
                swaps, swap = swaps + 1, None
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    store.close()
    grown = _peak_kib() - resident_before
    return [
        f"{ticks} ticks with {swaps} swaps: {after - before} bytes more on the heap,"
        f" peak of the process {grown} KiB more"
    ]


def _rewritten(name: str, number: int) -> str:
    path = Path(name.rpartition(":")[0])
    path.write_text(template_for(path)[1] + f"\nNUMBER = {number}\n", encoding="utf-8")
    return name


def _peak_kib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measures swaps; the full measure is of 10000000 ticks.")
    parser.add_argument("--ticks", type=int, default=TICKS)
    logger.remove()
    for line in measure(parser.parse_args().ticks):
        print(line)
