"""An hour's worth of faults in six minutes, and what the engine holds before and after: nothing may have leaked."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Self

from dirigent.proofs.death.daemons import Daemon, DaemonFault, Place
from dirigent.proofs.rehearsed.beside import Beside, rehearsing
from dirigent.proofs.rehearsed.configurations import LATENCY_MS, SYMBOLS, TICKS_PER_S, each_kind, trading_on
from dirigent.proofs.rehearsed.counting import MODULE, Count, counts_in
from dirigent.proofs.rehearsed.lives import WORDS_MAX, books_differ, is_trading_after_a_while
from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.settings import RehearsalSettings

POOLED_SOCKETS = 3
"""A client keeps a connection for a while after a question; hundreds of faults that leak leave more than these."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the engine and the exchange hold of what may leak: by name, how many."""

    numbers: dict[str, int]

    @classmethod
    def of(cls, count: Count, streams: int) -> Self:
        """`streams` are the websockets that the exchange knows of."""
        tasks = {f"task {name}": number for name, number in count.tasks.items()}
        held = {"sockets": count.sockets, "files": count.files, "streams": streams}
        return cls({**held, **tasks, "orders and positions": count.living})

    def beyond(self, other: Self) -> list[str]:
        """In words, of what there is more than there was; of sockets, more than a pool keeps."""
        return [
            f"leaked: {name} was {other.numbers.get(name, 0)} at most, and stays {number}"
            for name, number in sorted(self.numbers.items())
            if number > other.numbers.get(name, 0) + (POOLED_SOCKETS if name == "sockets" else 0)
        ]


USUAL_CHANCE = 0.002
"""Of each kind of fault, on an exchange that has a bad day."""
TIMES_AS_OFTEN = 10
HOURS_OF_FAULTS = each_kind(USUAL_CHANCE * TIMES_AS_OFTEN)
MEMORY_GROWTH_MAX_KB = 4_096
"""From the third quarter of the faults to the last; before that, what is kept of recent things fills up."""
BLOCKS_GROWTH_MAX = 12_000
"""Some twenty for each fault of a quarter, less than a connection or an order is made of. ccxt keeps the last thousand
orders; until it has them it grows by as much."""
WARM_AFTER_S = 600
"""A shorter soak says nothing of them."""
_WINDOW = 8
"""Counts that are looked at together: what is held in each of them is held for good, or nearly."""
_PATIENCE_S = 60.0
"""In which everything has to be as before: idle connections are kept for a quarter of a minute."""


@dataclass(slots=True)
class SoakReport:
    """`before` and `after`: the most and the least that was held while no price moved, before and after the faults."""

    seconds: float = 0
    symbols: int = 0
    orders: int = 0
    fills: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    before: Holdings | None = None
    after: Holdings | None = None
    memory_kb: list[int] = field(default_factory=list)
    """In each quarter of the faults."""
    blocks: list[int] = field(default_factory=list)
    """Of Python's objects, in each quarter."""
    wrong: list[str] = field(default_factory=list)


def soak(
    directory: Path,
    seconds: float,
    seed: int,
    told: Callable[[str], None],
    *,
    chaos: Chaos = HOURS_OF_FAULTS,
    symbols: tuple[str, ...] = SYMBOLS,
) -> SoakReport:
    """A still market, then `seconds` of deals and faults, then a still market again, in one life of the engine;
    then the books are compared.

    Six minutes of `TIMES_AS_OFTEN` times the usual faults are an hour's worth; as many before them, in which fills
    up what is kept of recent things, make memory tell something.
    """
    settings = RehearsalSettings(
        seed=seed,
        symbols=symbols,
        ticks_per_s=TICKS_PER_S,
        latency_ms=LATENCY_MS,
        chaos=chaos,
    )
    report = SoakReport(seconds=seconds, symbols=len(symbols))
    log = directory / "counts.jsonl"
    with rehearsing(settings) as beside:
        beside.set_faults(Chaos())
        beside.set_still(True)
        place = Place.make(directory, trading_on(beside))
        with Daemon(place, "--live", module=MODULE, module_words=(str(log),)) as daemon:
            if not is_trading_after_a_while(daemon):
                raise DaemonFault(daemon.said[-WORDS_MAX:])
            report.before = _held_at_most(daemon, log, beside)
            beside.set_still(False)
            beside.set_faults(settings.chaos)
            first = len(counts_in(log))
            _wait(seconds, daemon, told)
            _weigh(report, counts_in(log)[first:])
            beside.set_faults(Chaos())
            beside.set_still(True)
            report.after = _held_at_least(daemon, log, beside, report.before)
            if daemon.stop() != 0:
                raise DaemonFault(daemon.said[-WORDS_MAX:])
        report.wrong += report.after.beyond(report.before)
        report.wrong += books_differ(place, beside)
        reckoned = beside.audit
    report.orders, report.fills = reckoned["orders"]["accepted"], reckoned["fills"]
    report.faults = {str(name): count for name, count in reckoned["faults"].items()}
    return report


def _counted(daemon: Daemon, log: Path, beside: Beside) -> list[Holdings]:
    """The next few counts."""
    first = len(counts_in(log))
    until_s = time.monotonic() + _PATIENCE_S
    while len(counts := counts_in(log)[first:]) < _WINDOW:
        if daemon.process.poll() is not None or time.monotonic() > until_s:
            raise DaemonFault(f"it counts no more: {daemon.said[-WORDS_MAX:]}")
        time.sleep(0.1)
    streams = len(beside.do(lambda server: server.connections))
    return [Holdings.of(count, streams) for count in counts]


def _held_at_most(daemon: Daemon, log: Path, beside: Beside) -> Holdings:
    return _combined(_counted(daemon, log, beside), max)


def _held_at_least(daemon: Daemon, log: Path, beside: Beside, before: Holdings) -> Holdings:
    """Once it is no more than before; or when the patience is over."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        after = _combined(_counted(daemon, log, beside), min)
        if not after.beyond(before) or time.monotonic() > until_s:
            return after


def _combined(windows: list[Holdings], choose: Callable[[list[int]], int]) -> Holdings:
    names = {name for held in windows for name in held.numbers}
    return Holdings({name: choose([held.numbers.get(name, 0) for held in windows]) for name in sorted(names)})


def _wait(seconds: float, daemon: Daemon, told: Callable[[str], None]) -> None:
    began_s = time.monotonic()
    while (past_s := time.monotonic() - began_s) < seconds:
        if daemon.process.poll() is not None:
            raise DaemonFault(f"it ended under faults: {daemon.said[-WORDS_MAX:]}")
        told(f"{past_s:.0f} of {seconds:.0f} s under faults")
        time.sleep(min(1.0, seconds - past_s))


def _weigh(report: SoakReport, counts: list[Count]) -> None:
    quarter = len(counts) // 4
    if not quarter:
        raise DaemonFault("nothing was counted under faults")
    for number in range(4):
        part = counts[number * quarter : (number + 1) * quarter]
        report.memory_kb.append(int(median(count.memory_kb for count in part)))
        blocks = [count.blocks for count in part if count.blocks is not None]
        report.blocks.append(int(median(blocks or [0])))
    growth_kb = report.memory_kb[3] - report.memory_kb[2]
    if growth_kb > MEMORY_GROWTH_MAX_KB:
        report.wrong.append(f"memory grew by {growth_kb} kB from the third quarter to the last")
    growth = report.blocks[3] - report.blocks[2]
    if growth > BLOCKS_GROWTH_MAX and report.seconds >= WARM_AFTER_S:
        report.wrong.append(f"Python's objects grew by {growth} blocks from the third quarter to the last")
