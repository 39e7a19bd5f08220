"""What a moving tick costs, on disk (synchronous=FULL) when it returns, beside raw fdatasyncs in one run."""

import asyncio
import os
from decimal import Decimal
from time import perf_counter_ns

from benchmarks.bench_engine import Bench, bench, quantile
from services.messages import PairRules

PAIRS = 500
BLOCK = b"x" * 4096
RULES = PairRules("", stop_loss=Decimal("0.1"))


def measure() -> list[str]:
    return asyncio.run(_measure())


async def _measure() -> list[str]:
    async with bench(PAIRS, "external", RULES) as made:
        entries, exits, syncs = await _deals(made)
    lines = [
        f"{name}: p50 {quantile(values, 0.5):.3f} ms, p99 {quantile(values, 0.99):.3f} ms"
        for name, values in (
            ("raw fdatasync of 4 KiB", syncs),
            ("handle_buy_signal to its commit", entries),
            ("process_market_tick that hits a stop-loss, to its commit", exits),
        )
    ]
    over = quantile(exits, 0.99) - quantile(syncs, 0.99)
    return [*lines, f"p99 over the raw fdatasync: {over:.3f} ms (5 allowed) of {len(exits)} each"]


async def _deals(made: Bench) -> tuple[list[float], list[float], list[float]]:
    """A deal a pair, in ms; between its two turns a raw sync, so that all three meet the same disk."""
    entries: list[float] = []
    exits: list[float] = []
    syncs: list[float] = []
    raw = os.open(made.store.path.with_name("raw"), os.O_CREAT | os.O_WRONLY)
    for symbol in made.engine.symbols:
        await made.tick(symbol, "100.00")
        started_ns = perf_counter_ns()
        await made.buy(symbol, symbol)
        entries.append((perf_counter_ns() - started_ns) / 1e6)
        await made.settle()
        os.write(raw, BLOCK)
        started_ns = perf_counter_ns()
        os.fdatasync(raw)
        syncs.append((perf_counter_ns() - started_ns) / 1e6)
        ticker = await made.price(symbol, "80.00")
        started_ns = perf_counter_ns()
        await made.engine.orchestrator.process_market_tick(ticker)
        exits.append((perf_counter_ns() - started_ns) / 1e6)
        await made.settle()
    os.close(raw)
    left = len(made.engine.state.working.positions)
    if left:
        raise RuntimeError(f"{left} positions did not close: the figures would mean nothing")
    return entries, exits, syncs
