"""Memory: of a live position with its order, of one that has closed, and over a million ticks."""

import asyncio
import gc
import resource
import sys
import tracemalloc
from decimal import Decimal

from benchmarks.bench_engine import Bench, bench
from benchmarks.population import populate
from services.messages import PairRules
from services.state_management import StateManagementService

POSITIONS = 5_000
WARM_UP_DEALS = 5_500
"""So many that the exchange in the same process begins to forget its oldest orders: what is left is the engine's."""
DEALS = 1_000
TICKS = 1_000_000


def measure() -> list[str]:
    return asyncio.run(_measure())


async def _measure() -> list[str]:
    async with bench(100, "external") as made:
        live = _live(made)
    async with bench(1, "external", PairRules("", stop_loss=Decimal("0.1"))) as made:
        closed = await _closed(made)
    async with bench(10, "sma_cross") as made:
        flat = await _flat(made)
    return [live, closed, flat]


def _live(made: Bench) -> str:
    populate(made.store, made.engine.symbols, POSITIONS)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    state = StateManagementService(made.store, made.store, made.clock)
    state.rebuild(made.store.load())
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    each = (after - before) / len(state.working.positions)
    return f"a live position with its live order: {each:.0f} bytes of 4096 allowed ({POSITIONS} held)"


async def _closed(made: Bench) -> str:
    tracemalloc.start()
    await _deal(made, 0, WARM_UP_DEALS)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    await _deal(made, WARM_UP_DEALS, WARM_UP_DEALS + DEALS)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return f"a closed position: {(after - before) / DEALS:.1f} bytes ({DEALS} deals)"


async def _deal(made: Bench, first: int, last: int) -> None:
    """The last deal comes when a minute has passed: the moments of a minute's orders are kept for the order rate."""
    symbol = made.engine.symbols[0]
    for number in range(first, last):
        if number == last - 1:
            made.clock.set(made.clock.now_ms() + 61_000)
        await made.tick(symbol, "100.00")
        await made.buy(symbol, f"s{number}")
        await made.settle()
        await made.tick(symbol, "80.00")
        await made.settle()
        if made.engine.state.working.positions:
            raise RuntimeError(f"deal {number} did not close: the figure would mean nothing")


async def _flat(made: Bench) -> str:
    symbols = made.engine.symbols
    for number in range(TICKS // 10):
        await made.tick(symbols[number % len(symbols)], "100.00")
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    resident_before = _peak_kib()
    for number in range(TICKS):
        await made.tick(symbols[number % len(symbols)], "100.00")
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    grown = _peak_kib() - resident_before
    return f"{TICKS} ticks: {after - before} bytes more on the heap, peak of the process {grown} KiB more"


def _peak_kib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak
