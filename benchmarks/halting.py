"""How long a halt takes to be in force in a real engine under full load, and what looking for commands costs."""

import asyncio
import sqlite3
import time
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench_engine import bench, quantile
from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Place, trading, wait_until
from dirigent.steering.helm import core_handlers
from dirigent.steering.steering import Steering
from persistence import commands, journal_queries, queries
from persistence.commands import Inbox, inbox_path

ROUNDS = 25
PAIRS = 50
LOOKS = 20_000
POSITIONS = 1_000


def measure() -> list[str]:
    return [_halts(), asyncio.run(_looks()), asyncio.run(_exits())]


def _halts() -> str:
    """Prices as fast as they are taken, deals all the time; each halt is resumed before the next."""
    symbols = [f"C{number}/USDT" for number in range(PAIRS)]
    durations_ms: list[float] = []
    with TemporaryDirectory(prefix="dirigent-halting-") as folder:
        place = Place.make(Path(folder), restless(Market(ticks_per_s=0), symbols))
        with trading(place) as daemon:
            for number in range(2 * ROUNDS):
                started_s = time.monotonic()
                given = commands.give(place.database, ("halt", "resume")[number % 2], {}, "benchmark")
                wait_until(
                    partial(_is_answered, place.database, given.id),
                    lambda: f"no answer: {daemon.said}",
                    daemon.process,
                )
                if number % 2 == 0:
                    durations_ms.append((time.monotonic() - started_s) * 1000)
                time.sleep(0.037 * (number % 4))
            status = queries.status(place.database)
            daemon.stop()
        while_halted, in_all = _entries(place.database)
    if while_halted or not in_all:
        raise RuntimeError(f"{while_halted} of {in_all} entries were planned while the engine was halted")
    return (
        f"halt to answer, real process, {PAIRS} pairs, {status['ticks_per_s']:.0f} ticks/s:"
        f" p50 {quantile(durations_ms, 0.5):.0f} ms, worst {max(durations_ms):.0f} ms of {ROUNDS}"
        f" (1000 allowed); none of {in_all} entries while halted"
    )


def _entries(database: Path) -> tuple[int, int]:
    """Those planned while it was halted, and all; by the journal's own order, which is that of the decisions."""
    halted, while_halted, in_all = False, 0, 0
    for entry in journal_queries.walk_entries(database):
        if entry["machine"] == "permission" and entry["subject_id"] == "engine":
            halted = entry["target"] == "halted"
        if entry["event"] == "entry_planned":
            in_all += 1
            while_halted += halted
    return while_halted, in_all


def _is_answered(database: Path, command_id: str) -> bool:
    return commands.answer_to(database, command_id) is not None


async def _looks() -> str:
    """The look that finds nothing, which is nearly every one; ten are made a second."""
    async with bench(1, "external") as made:
        commands.give(made.store.path, "halt", {}, "benchmark", now_ms=made.clock.now_ms())
        with closing(Inbox(inbox_path(made.store.path))) as inbox:
            orchestrator = made.engine.orchestrator
            steering = Steering(orchestrator, inbox, made.store, core_handlers(orchestrator))
            await steering.obey()
            started_s = time.perf_counter()
            for _ in range(LOOKS):
                await steering.obey()
            each_us = (time.perf_counter() - started_s) / LOOKS * 1e6
    return f"a look at the inbox that finds nothing: {each_us:.1f} µs, ten a second"


async def _tell_times(times_s: list[float]) -> None:
    """When the event loop came round, again and again."""
    while True:
        times_s.append(time.perf_counter())
        await asyncio.sleep(0)


async def _exits() -> str:
    """The longest turn that a command can ask for."""
    async with bench(POSITIONS, "external") as made:
        for number, symbol in enumerate(made.engine.symbols):
            await made.tick(symbol, "100.00")
            await made.buy(symbol, f"s{number}")
        await made.settle()
        commands.give(made.store.path, "force-exit", {"id": "all"}, "benchmark", now_ms=made.clock.now_ms())
        with closing(Inbox(inbox_path(made.store.path))) as inbox:
            orchestrator = made.engine.orchestrator
            steering = Steering(orchestrator, inbox, made.store, core_handlers(orchestrator))
            loop_s: list[float] = []
            lag = asyncio.create_task(_tell_times(loop_s))
            started_s = time.perf_counter()
            await steering.obey()
            took_ms = (time.perf_counter() - started_s) * 1000
            lag.cancel()
        await made.settle()
        with closing(sqlite3.connect(made.store.path)) as books:
            (answer,) = books.execute("SELECT answer FROM commands").fetchone()
    if not answer.startswith(f"{POSITIONS} positions leave"):
        raise RuntimeError(f"not all left: {answer}")
    worst_ms = max(later - sooner for sooner, later in pairwise(loop_s)) * 1000
    return (
        f"force-exit all of {POSITIONS} positions, a pair each: {took_ms:.0f} ms, of which no tick waits longer"
        f" than {worst_ms:.1f} ms"
    )
