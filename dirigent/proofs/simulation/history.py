"""One seed, one history: faults while it lasts, then rest, then everything is compared and sold."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loguru import logger

from dirigent.proofs.simulation.commander import Commander
from dirigent.proofs.simulation.disk import TAG, Disk
from dirigent.proofs.simulation.exchange import SimulatedExchange
from dirigent.proofs.simulation.faults import AS_DRAWN, FaultPlan
from dirigent.proofs.simulation.observer import Observer, RowName
from dirigent.proofs.simulation.people import People
from dirigent.proofs.simulation.prices import Prices
from dirigent.proofs.simulation.process import Process
from dirigent.proofs.simulation.rest import Rest
from dirigent.proofs.simulation.scratch import Scratch
from dirigent.proofs.simulation.stream import ReportStream
from dirigent.proofs.simulation.terms import draw_terms
from dirigent.proofs.simulation.verdict import differences
from dirigent.proofs.simulation.virtual_loop import US, ProcessDied
from dirigent.proofs.simulation.world import World
from persistence.verification import verify

_REST_S_MAX = 1_200
_FLAT_S_MAX = 3_600
_STEPS_MAX_PER_OPERATION = 2_000


@dataclass(slots=True)
class Result:
    """What one history showed. `head` is the hash of its journal's last entry."""

    seed: int
    violations: list[str]
    operations: Counter[str]
    faults: Counter[str]
    rows_taken: set[RowName]
    head: str
    transitions: int
    anomalies: int
    deaths: int
    virtual_s: float
    story: list[str] = field(default_factory=list)


def run_history(
    seed: int, operations: int, scratch: Scratch, *, plan: FaultPlan = AS_DRAWN, telling: bool = False
) -> Result:
    """The same seed, number of operations and faults left out give the same history, bit for bit."""
    for package in ("services", "run_realtime_trading", "dirigent.steering"):
        logger.disable(package)
    folder = tempfile.TemporaryDirectory(dir=scratch.path)
    try:
        return History(seed, operations, Path(folder.name), scratch.template, plan, telling).run()
    finally:
        folder.cleanup()
        for package in ("services", "run_realtime_trading", "dirigent.steering"):
            logger.enable(package)


class History:
    def __init__(
        self,
        seed: int,
        operations: int,
        directory: Path,
        template: Path,
        plan: FaultPlan,
        telling: bool,
    ) -> None:
        self.world = World(seed, plan, telling=telling)
        self.terms = draw_terms(seed)
        self.operations = operations
        self.observer = Observer(self.world)
        self.exchange = SimulatedExchange(self.world, self.terms)
        self.stream = ReportStream(self.world, self.exchange)
        self.stream.is_recorded = self.observer.is_recorded
        self.stream.is_heard = self.observer.is_heard
        self.disk = Disk(self.world, directory, template)
        every_s = self.terms.commands_every_s
        self.commander = Commander(self.world, self.terms.symbols, TAG) if every_s else None
        self.process: Process | None = None
        self.deaths = 0
        self.prices = Prices(self.world, self.terms, self.exchange, lambda: self.process)
        self.people = People(self.world, self.terms, self.commander, lambda: self.process)
        self.rest = Rest(self.exchange, self.stream, self.commander)

    def run(self) -> Result:
        world = self.world
        try:
            self._begin()
            self._go_on(lambda: world.operations_total >= self.operations, None)
            if not world.violations:
                self._come_to_rest()
            if not world.violations:
                self._compare("at rest")
                self._sell_everything()
        finally:
            path = self.disk.path
            if self.process is not None:
                self.process.die(power_lost=False)
                path = self.disk.path
        return Result(
            world.seed,
            world.violations,
            world.operations,
            world.faults.counts,
            self.observer.rows_taken,
            verify(path).head,
            self.observer.transitions,
            self.observer.anomalies,
            self.deaths,
            world.now_us / US,
            world.story or [],
        )

    def _begin(self) -> None:
        self._start()
        for symbol in self.terms.symbols:
            self.prices.begin(symbol)
            self.people.begin_signals(symbol)
        self.people.begin()

    def _start(self) -> None:
        if self.process is not None:
            return
        self.world.tell("the process starts")
        outside = (self.exchange, self.stream)
        self.process = Process(self.world, self.terms, self.disk, outside, self.observer, self.commander)
        if self.deaths and self.world.happens("death_again"):
            self.process.callbacks_left = self.world.faults.stream("death_again").randint(0, 80)

    def _die(self, why: str) -> None:
        process, world = self.process, self.world
        assert process is not None
        self.process = None
        self.deaths += 1
        world.count("death")
        world.tell(f"the process dies: {why}")
        process.die(power_lost=world.happens("power_lost"))
        world.after(world.random.choice((0.01, 1, 5, 20)) * world.random.random(), self._start)

    def _go_on(self, is_over: Callable[[], bool], until_us: int | None) -> bool:
        """Runs until it is over, something is violated, or that time has come: then False."""
        world = self.world
        most = self.operations * _STEPS_MAX_PER_OPERATION + 1_000_000
        for _ in range(most):
            if world.violations or is_over():
                return True
            if until_us is not None and world.now_us >= until_us:
                return False
            self._step()
        world.violate("it goes round in circles: callbacks without end")
        return True

    def _step(self) -> None:
        """The next callback of the process, or else the next moment at which something happens."""
        process, world = self.process, self.world
        if process is not None and process.loop.ready:
            try:
                process.run_one()
            except ProcessDied:
                self._die("killed")
            else:
                if process.ended:
                    self._die(process.ended)
            return
        event_us = world.next_event_us
        timer_us = None if process is None else process.loop.next_timer_us
        if timer_us is not None and (event_us is None or timer_us <= event_us):
            world.now_us = max(world.now_us, timer_us)
            assert process is not None
            process.loop.fire_timer()
        elif event_us is not None:
            world.now_us = max(world.now_us, event_us)
            world.fire_event()
        else:
            world.violate("nothing will ever happen again")

    def _come_to_rest(self) -> None:
        """No more faults and no more signals: everything that is open must settle by itself."""
        world = self.world
        self.rest.calm_since_ms = world.now_ms()
        world.tell("no more faults")
        world.faults.armed = False
        if self.process is not None:
            self.process.is_spared()
        self.disk.recover()
        self.stream.reconnect()
        until_us = world.now_us + _REST_S_MAX * US
        if not self._go_on(lambda: self.rest.is_reached(self.process), until_us):
            world.violate(f"it does not come to rest: {self.rest.what_is_open(self.process)}")

    def _compare(self, when: str) -> None:
        assert self.process is not None
        for difference in differences(self.disk.path, self.exchange, self.process):
            self.world.violate(f"{when}: {difference}")
        for difference in self.commander.differences(self.disk.path) if self.commander else ():
            self.world.violate(f"{when}: {difference}")

    def _sell_everything(self) -> None:
        """Every position can be brought flat, or ends as dust."""
        world = self.world
        if not world.violations and self.process is not None and self.process.engine.state.working.positions:
            self.process.force_exits()
            if not self._go_on(lambda: self.rest.is_flat(self.process), world.now_us + _FLAT_S_MAX * US):
                world.violate(f"it cannot be brought flat: {self.rest.what_is_open(self.process)}")
            if not world.violations:
                self._compare("flat")
