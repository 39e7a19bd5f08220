"""What a tick costs that moves nothing: one pair, a thousand pairs, and with an open position to watch."""

import asyncio
from decimal import Decimal
from time import perf_counter_ns

from benchmarks.bench_engine import Bench, bench, quantile
from services.messages import PairRules

COUNT = 50_000
HALF = Decimal("0.5")
WATCHFUL = PairRules("", take_profit=HALF, stop_loss=HALF, trailing_stop=HALF)


def measure() -> list[str]:
    return asyncio.run(_measure())


async def _measure() -> list[str]:
    lines = []
    for pairs in (1, 1_000):
        async with bench(pairs, "sma_cross") as made:
            lines.append(f"nothing to move, {pairs} pairs: {await _ticks(made)}")
    async with bench(1, "external", WATCHFUL) as made:
        symbol = made.engine.symbols[0]
        await made.tick(symbol, "100.00")
        await made.buy(symbol, "one")
        await made.settle()
        lines.append(f"nothing to move, 1 pair with an open position: {await _ticks(made)}")
    return lines


async def _ticks(made: Bench) -> str:
    """A price that stands still: no average crosses another."""
    symbols, process = made.engine.symbols, made.engine.orchestrator.process_market_tick
    moved = made.engine.state.metrics.transitions
    durations_us: list[float] = []
    for number in range(COUNT):
        ticker = await made.price(symbols[number % len(symbols)], "100.00")
        started_ns = perf_counter_ns()
        await process(ticker)
        durations_us.append((perf_counter_ns() - started_ns) / 1000)
    if made.engine.state.metrics.transitions != moved:
        raise RuntimeError("something moved: these were not idle ticks")
    p50, p99 = quantile(durations_us, 0.5), quantile(durations_us, 0.99)
    return f"p50 {p50:.1f} µs (15 allowed), p99 {p99:.1f} µs of {COUNT} ticks"
