"""One seed, one history: faults while it lasts, then rest, then everything is compared and sold."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from loguru import logger

from dirigent.proofs.simulation.commander import Commander
from dirigent.proofs.simulation.disk import TAG, Disk
from dirigent.proofs.simulation.exchange import SimulatedExchange
from dirigent.proofs.simulation.faults import AS_DRAWN, FaultPlan
from dirigent.proofs.simulation.observer import Observer, RowName
from dirigent.proofs.simulation.process import Process
from dirigent.proofs.simulation.scratch import Scratch
from dirigent.proofs.simulation.stream import ReportStream
from dirigent.proofs.simulation.terms import draw_terms
from dirigent.proofs.simulation.verdict import differences
from dirigent.proofs.simulation.virtual_loop import US, ProcessDied
from dirigent.proofs.simulation.world import World
from fsm.pair import SIGNALLED
from fsm.permission import ENTRIES_STOPPED, RESUMED
from fsm.position import CLOSING, EXIT_TRIGGERED, OPEN, ORDERING
from fsm.records import PositionRecord
from fsm.values import ExitReason
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
        self._signals = 0
        self._skew_ms = 0
        self._calm_since_ms = 0
        self._stalled_until_us = dict.fromkeys(self.terms.symbols, 0)

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
        world = self.world
        self._start()
        for symbol in self.terms.symbols:
            world.after(world.random.uniform(0, 1), partial(self._tick, symbol))
            world.after(world.random.uniform(1, 4), partial(self._signal, symbol))
        world.after(5, self._person)
        if self.commander is not None:
            world.after(3, partial(self._command, self.commander, Random(f"{world.seed}:terminal")))

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

    def _tick(self, symbol: str) -> None:
        world = self.world
        pause_s = self.terms.tick_s * world.random.uniform(0.2, 1.8)
        world.after(pause_s if world.faults.armed else 2.0, partial(self._tick, symbol))
        point = self.exchange.move_price(symbol)
        is_heard = self._is_heard(symbol)
        if is_heard:
            world.count("tick")
        if world.happens("clock_skewed"):
            self._skew_ms = world.faults.stream("clock_skewed").randint(-4000, 90_000)
        if world.happens("feed_stalled", symbol):
            stall_s = world.faults.stream("feed_stalled").uniform(5, 60)
            self._stalled_until_us[symbol] = world.now_us + int(stall_s * US)
        process = self.process
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

    def _is_heard(self, symbol: str) -> bool:
        if self.process is None or not self.process.is_trading:
            return False
        return not self.world.faults.armed or self.world.now_us >= self._stalled_until_us[symbol]

    def _signal(self, symbol: str) -> None:
        world = self.world
        if not world.faults.armed:
            return
        world.after(world.random.uniform(0.2, 6), partial(self._signal, symbol))
        process = self.process
        if process is None or not process.is_trading:
            return
        repeats = self._signals and world.random.random() < 0.05
        self._signals += not repeats
        buys = world.random.random() < 0.7
        signal = {"id": f"signal-{self._signals}", "symbol": symbol, "reason": "simulated", "strength": 1.0}
        orchestrator = process.engine.orchestrator
        world.count("signal")
        world.tell(f"signal {signal['id']} {'buy' if buys else 'sell'} {symbol}")
        take = orchestrator.handle_buy_signal if buys else orchestrator.handle_sell_signal
        process.start(take(signal))

    def _person(self) -> None:
        """Lifts quarantines, stops entries for a while, and now and then sells a position at once."""
        world, process = self.world, self.process
        if not world.faults.armed:
            return
        world.after(world.random.uniform(2, 15), self._person)
        if process is None or not process.is_trading:
            return
        orchestrator = process.engine.orchestrator
        for symbol in process.halted_symbols():
            process.start(orchestrator.apply("permission", symbol, RESUMED))
        luck = world.random.random()
        if luck < 0.03:
            process.start(orchestrator.apply("permission", self.terms.symbols[0], ENTRIES_STOPPED))
        elif luck < 0.1:
            self._force_exits()

    def _command(self, commander: Commander, dice: Random) -> None:
        """Whether or not a process lives."""
        if self.world.faults.armed:
            commander.give()
            pause_s = (self.terms.commands_every_s or 0) * dice.uniform(0.1, 2)
            self.world.after(pause_s, partial(self._command, commander, dice))

    def _force_exits(self) -> None:
        assert self.process is not None

        def leave(position: PositionRecord) -> None:
            position.exit_reason = ExitReason.FORCE

        for position in list(self.process.engine.state.working.positions.values()):
            if position.state == OPEN:
                self.process.start(
                    self.process.engine.orchestrator.apply("position", position.id, EXIT_TRIGGERED, leave)
                )

    def _come_to_rest(self) -> None:
        """No more faults and no more signals: everything that is open must settle by itself."""
        world = self.world
        self._calm_since_ms = world.now_ms()
        world.tell("no more faults")
        world.faults.armed = False
        if self.process is not None:
            self.process.is_spared()
        self.disk.recover()
        self.stream.reconnect()
        until_us = world.now_us + _REST_S_MAX * US
        if not self._go_on(self._is_at_rest, until_us):
            world.violate(f"it does not come to rest: {self._unrest()}")

    def _is_at_rest(self) -> bool:
        process = self.process
        if process is None or not process.is_trading or process.loop.ready:
            return False
        if self.exchange.in_flight or self.stream.under_way or self.exchange.matching.open_orders():
            return False
        if self.commander is not None and len(self.commander.told) < len(self.commander.given):
            return False
        state = process.engine.state
        if state.working.orders or state.effects_under_way:
            return False
        if any(pair.state == SIGNALLED for pair in state.working.pairs.values()):
            return False
        if self.exchange.lied_about and not process.has_compared_since(self._calm_since_ms):
            return False  # what an exchange did after its own window only a comparison of the books finds
        return not any(p.state in (ORDERING, CLOSING) for p in state.working.positions.values())

    def _unrest(self) -> str:
        process = self.process
        if process is None:
            return "no process"
        working = process.engine.state.working
        orders = [f"{o.client_order_id} {o.state}" for o in working.orders.values()]
        positions = [f"{p.id} {p.state}" for p in working.positions.values()]
        return (
            ", ".join([*orders, *positions]) or f"{self.exchange.in_flight} {self.stream.under_way} under way"
        )

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
            self._force_exits()
            if not self._go_on(self._is_flat, world.now_us + _FLAT_S_MAX * US):
                world.violate(f"it cannot be brought flat: {self._unrest()}")
            if not world.violations:
                self._compare("flat")

    def _is_flat(self) -> bool:
        return (
            self._is_at_rest()
            and self.process is not None
            and not self.process.engine.state.working.positions
        )
