"""The people of one history: who offers signals, who lifts quarantines and sells at once, who gives commands."""

from collections.abc import Callable
from functools import partial
from random import Random

from dirigent.proofs.simulation.commander import Commander
from dirigent.proofs.simulation.process import Process
from dirigent.proofs.simulation.terms import Terms
from dirigent.proofs.simulation.world import World
from fsm.permission import ENTRIES_STOPPED, RESUMED


class People:
    """`present` names the process that lives now, if one does. They fall silent when the faults end."""

    def __init__(
        self,
        world: World,
        terms: Terms,
        commander: Commander | None,
        present: Callable[[], Process | None],
    ) -> None:
        self._world = world
        self._terms = terms
        self._commander = commander
        self._present = present
        self._signals = 0

    def begin_signals(self, symbol: str) -> None:
        self._world.after(self._world.random.uniform(1, 4), partial(self._signal, symbol))

    def begin(self) -> None:
        """The person, and where commands are given, the terminal."""
        self._world.after(5, self._person)
        if self._commander is not None:
            dice = Random(f"{self._world.seed}:terminal")
            self._world.after(3, partial(self._command, self._commander, dice))

    def _signal(self, symbol: str) -> None:
        world = self._world
        if not world.faults.armed:
            return
        world.after(world.random.uniform(0.2, 6), partial(self._signal, symbol))
        process = self._present()
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
        world, process = self._world, self._present()
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
            process.start(orchestrator.apply("permission", self._terms.symbols[0], ENTRIES_STOPPED))
        elif luck < 0.1:
            process.force_exits()

    def _command(self, commander: Commander, dice: Random) -> None:
        """Whether or not a process lives."""
        if self._world.faults.armed:
            commander.give()
            pause_s = (self._terms.commands_every_s or 0) * dice.uniform(0.1, 2)
            self._world.after(pause_s, partial(self._command, commander, dice))
