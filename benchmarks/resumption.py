"""How long a start takes over ten thousand positions, each with a live order."""

import asyncio
from time import perf_counter

from benchmarks.bench_engine import Bench, bench
from benchmarks.population import populate
from fsm.values import ZERO
from services.state_management import StateManagementService

POSITIONS = 10_000


def measure() -> list[str]:
    return asyncio.run(_measure())


async def _measure() -> list[str]:
    async with bench(100, "external") as made:
        return _start(made)


def _start(made: Bench) -> list[str]:
    populate(made.store, made.engine.symbols, POSITIONS)
    started_s = perf_counter()
    stored = made.store.load()
    loaded_s = perf_counter()
    state = StateManagementService(made.store, made.store, made.clock)
    state.rebuild(stored)
    rebuilt_s = perf_counter()
    if len(state.working.positions) != POSITIONS or state.commitments.exposure == ZERO:
        raise RuntimeError("not every position came back")
    return [
        f"{POSITIONS} positions and orders: read and verified in {loaded_s - started_s:.3f} s,"
        f" working set rebuilt in {rebuilt_s - loaded_s:.3f} s"
    ]
