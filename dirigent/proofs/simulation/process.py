"""One life of the engine's process: store opened, resumed, traded, until it dies."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from dirigent.proofs.simulation.books import read_books
from dirigent.proofs.simulation.commander import Commander, Post
from dirigent.proofs.simulation.desk import Desk
from dirigent.proofs.simulation.disk import Disk, SimulatedStore
from dirigent.proofs.simulation.exchange import SimulatedExchange
from dirigent.proofs.simulation.observer import Observer
from dirigent.proofs.simulation.stream import ReportStream
from dirigent.proofs.simulation.terms import Silent, Terms
from dirigent.proofs.simulation.virtual_loop import ProcessDied, VirtualLoop
from dirigent.proofs.simulation.world import World
from dirigent.steering.helm import core_handlers
from dirigent.steering.steering import Steering
from dirigent.wiring import Parts, build
from fsm.commit import Progress
from fsm.permission import ENGINE_SUBJECT
from fsm.position import EXIT_TRIGGERED, OPEN
from fsm.records import PositionRecord
from fsm.values import ExitReason
from run_realtime_trading import keep_time, watch_orders, watch_symbol
from services.messages import QueryFailed
from services.reconciliation.reconciler import Reconciler
from services.resumption import checkpoint_of, refresh_balance, resume

_BALANCE_S = 10
_PROGRESS_S = 20
_LOOK_S = 1


class Process:
    """The whole engine as the daemon runs it, on a loop of its own. `die` is the only way out."""

    def __init__(
        self,
        world: World,
        terms: Terms,
        disk: Disk,
        outside: tuple[SimulatedExchange, ReportStream],
        observer: Observer,
        commander: Commander | None = None,
    ) -> None:
        self.world = world
        self.loop = VirtualLoop(world.current_us, self._note_fault)  # type: ignore[abstract]  # has what is used
        self.loop.enter()
        self._disk = disk
        self._stream = outside[1]
        self.is_trading = False
        self.ended = ""
        self.callbacks_left = -1
        """So many callbacks it still lives for; below zero for ever."""
        self.store: SimulatedStore = disk.open(observer)
        stored = self.store.load()
        books = read_books(disk.path)
        observer.restart(
            [*books.orders.values(), *books.positions.values()],
            ((fill.symbol, fill.id) for fill in books.fills),
        )
        self.desk = Desk(world, *outside, self.loop)
        self.desk.dies_at_next_answer = self._die_soon
        strategies = dict.fromkeys(terms.rules, (Silent(),))
        self.engine = build(Parts(self.store, self.desk, world, terms.rules, strategies, terms.limits))
        self._commander, self._post = commander, Post(commander) if commander else None
        self._reconciler: Reconciler | None = None
        if terms.reconcile_every_s is not None:
            self._reconciler = Reconciler(
                self.engine.orchestrator, self.desk, self.store, unknown_escalates_s=terms.unknown_escalates_s
            )
        self._reconcile_every_s = terms.reconcile_every_s or 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.start(self._main(stored))

    def _note_fault(self, fault: str) -> None:
        self.world.violate(f"nobody caught: {fault}")

    def _die_soon(self) -> None:
        self.callbacks_left = self.world.faults.stream("death_before_record").randint(0, 6)

    def is_spared(self) -> None:
        """A death that was on its way when the faults ended does not come."""
        self.callbacks_left = -1

    def run_one(self) -> None:
        """Raises ProcessDied."""
        if self.callbacks_left >= 0:
            self.callbacks_left -= 1
            if self.callbacks_left < 0:
                raise ProcessDied
        if self.is_trading and self.world.happens("death_at_any_await"):
            raise ProcessDied
        self.loop.run_one()

    async def _main(self, stored: Any) -> None:
        orchestrator, symbols = self.engine.orchestrator, self.engine.symbols
        try:
            reconcile = self._reconciler.reconcile_if_answered if self._reconciler else None
            await resume(orchestrator, self.desk, stored, symbols, reconcile=reconcile)
        except QueryFailed as error:
            self.ended = f"the start failed: {error!r}"
            return
        steering = await self._commanded()
        pumps: list[Coroutine[Any, Any, None]] = [
            watch_orders(self.desk, orchestrator, self._reconciler.request if self._reconciler else _nothing),
            keep_time(orchestrator),
            self._ask_balance(),
            self._save_progress(),
        ]
        if steering is not None and self._commander is not None:
            pumps.append(self._obey(steering, self._commander))
        pumps += [watch_symbol(self.desk, orchestrator, symbol) for symbol in symbols]
        if self._reconciler is not None:
            pumps += [self._reconciler.run(self._reconcile_every_s), self._reconciler.run_escalation()]
        for pump in pumps:
            self.start(pump)
        self.is_trading = True

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Beside everything else; whatever it raises is a violation."""
        task = self.loop.create_task(work)
        task.add_done_callback(self._look_at)
        self._tasks.append(task)

    def _look_at(self, task: Any) -> None:
        self._tasks.remove(task)
        if not task.cancelled() and task.exception() is not None:
            self._note_fault(f"a task ended: {task.exception()!r}")

    async def _ask_balance(self) -> None:
        while True:
            await asyncio.sleep(_BALANCE_S)
            if not self.engine.state.working.orders:
                try:
                    await refresh_balance(self.engine.orchestrator, self.desk)
                except QueryFailed:
                    continue

    async def _commanded(self) -> Steering | None:
        """Obeys what was given meanwhile, before the first price; nobody may have seen an answer that is gone."""
        if self._commander is None or self._post is None:
            return None
        for identity in sorted(self._commander.told):
            if not self.store.command_was_answered(identity):
                self.world.violate(f"command {identity}: its answer was taken back")
        orchestrator = self.engine.orchestrator
        steering = Steering(orchestrator, self._post, self.store, core_handlers(orchestrator))
        await steering.obey()
        return steering

    async def _obey(self, steering: Steering, commander: Commander) -> None:
        while True:
            await steering.obey()
            waiting = [command.id for command in commander.given if command.id not in commander.told]
            commander.told |= {one for one in waiting if self.store.command_was_answered(one)}
            await asyncio.sleep(_LOOK_S)

    async def _save_progress(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            checkpoints = {s: checkpoint_of(self.engine.orchestrator, s) for s in self.engine.symbols}
            self.engine.state.save_progress(Progress(self.world.now_ms(), checkpoints=checkpoints))

    def die(self, *, power_lost: bool) -> None:
        """Nothing of it runs again; what it had on disk is what the next life finds."""
        self._stream.disconnect()
        self.loop.die()
        self._disk.crash(self.store, power_lost=power_lost)

    def has_compared_since(self, at_ms: int) -> bool:
        """Whether the books were compared with the exchange after that moment; True where nobody compares."""
        if self._reconciler is None:
            return True
        asked_at_ms = self._reconciler.last_plan.asked_at_ms
        return asked_at_ms is not None and asked_at_ms > at_ms

    def force_exits(self) -> None:
        """Sells each open position at once, as a person may."""

        def leave(position: PositionRecord) -> None:
            position.exit_reason = ExitReason.FORCE

        for position in list(self.engine.state.working.positions.values()):
            if position.state == OPEN:
                self.start(self.engine.orchestrator.apply("position", position.id, EXIT_TRIGGERED, leave))

    def halted_symbols(self) -> list[str]:
        permissions = self.engine.state.working.permissions
        return [s for s, p in permissions.items() if p.state != "active" and s != ENGINE_SUBJECT]


def _nothing() -> None:
    """Where nobody reconciles, a reconnect asks for nothing."""
