"""StateManagementService: the working set, the mail of every pair, the commit, and the effects under way."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from loguru import logger

from fsm.commit import CommitBatch, Progress, StoreConflict, StoredState, StoreError
from fsm.records import OrderRecord, PairRecord, PermissionRecord, PositionRecord, Record
from services.messages import Balance, OrderNews
from services.metrics import EngineMetrics
from services.order_rate import OrderRate
from services.ports import Archive, Clock, Store
from services.refusals import RefusalMemory
from services.turns.commitments import Commitments
from services.turns.turn import CarryOut, Effect, LookUp, Turn, Work
from services.turns.working_set import WorkingSet, share_texts


@dataclass(slots=True)
class Mail:
    symbol: str
    work: Work
    done: asyncio.Future[list[Effect]]
    carry_out: CarryOut | None
    urgent: bool


class StateManagementService:
    """Owns everything that changes. A turn reads through it, stages its changes and is committed with all turns
    that are ready at the same moment; the working set is swapped after the commit and not before.
    """

    def __init__(self, store: Store, archive: Archive, clock: Clock, *, at_once: bool = False) -> None:
        """`at_once`: mail is handled when it comes and effects run in `settle`, where one caller pumps everything."""
        self.store = store
        self.archive = archive
        self.clock = clock
        self.working = WorkingSet(archive)
        self.commitments = Commitments()
        self.metrics = EngineMetrics()
        self.refusals = RefusalMemory()
        self.order_rate = OrderRate()
        self.facts: dict[str, str] = {}
        self.day_ends_ms = 0
        """When the UTC day ends whose beginning is among the facts; 0 while none is."""
        self.balances: dict[str, Balance] = {}
        """As the exchange last told them, by currency."""
        self.tag = ""
        self.last_position_number = 0
        self.store_fault = ""
        """Why the last commit failed; empty while the store takes what it is given."""
        self.fault_was_told = False
        self._overlay: dict[tuple[str, str], Record] = {}
        self._batch = CommitBatch()
        self._mail: deque[Mail] = deque()
        self._news: deque[OrderNews] = deque()
        self._drain_is_due = False
        self._at_once = at_once
        self._to_settle: deque[tuple[Effect, CarryOut]] = deque()
        """Effects that wait for `settle`, where everything happens at once."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.under_way: Collection[object] = self._to_settle if at_once else self._tasks
        """The effects that `settle` waits for."""
        self.sends_are_held = False
        self.deadlines_are_held = False
        """No deadline fires: while a person settles something, time does not pass."""
        self._held: list[tuple[Effect, CarryOut]] = []

    def rebuild(self, stored: StoredState) -> None:
        """Fills the working set with what the store's `load` found."""
        self.tag = stored.tag
        self.last_position_number = stored.last_position_number
        self.facts = dict(stored.facts)
        for position in stored.positions:
            share_texts(position)
        for record in (*stored.pairs, *stored.permissions, *stored.orders, *stored.positions):
            self.working.put(record)
        for position in self.working.positions.values():
            self.commitments.replace(None, position)
            self.working.refresh_watch(position)

    def next_position_number(self) -> int:
        """Never the same twice in one database; a number whose turn fails is not used again."""
        self.last_position_number += 1
        return self.last_position_number

    def transact(
        self, symbol: str, work: Work, carry_out: CarryOut | None = None, *, urgent: bool = False
    ) -> asyncio.Future[list[Effect]]:
        """Puts work into the pair's mail. The future holds its effects, started by then, once its turn is committed.

        Urgent mail (exits, reports) of all pairs goes before the rest; one pair's mail of a kind keeps its order.
        The future raises StoreError when the commit failed: then nothing of the turn has happened.
        """
        loop = asyncio.get_running_loop()
        mail = Mail(symbol, work, loop.create_future(), carry_out, urgent)
        self._mail.append(mail)
        if self._at_once:
            self._drain()
        elif not self._drain_is_due:
            self._drain_is_due = True
            loop.call_soon(self._drain)
        return mail.done

    def _drain(self) -> None:
        """Runs all mail and commits it together: turns that are ready at once share one transaction."""
        self._drain_is_due = False
        mails = (
            sorted(self._mail, key=lambda mail: not mail.urgent) if len(self._mail) > 1 else list(self._mail)
        )
        self._mail.clear()
        decided: list[tuple[Mail, Turn]] = []
        for mail in mails:
            turn = Turn(self, mail.symbol, self.clock.now_ms())
            try:
                mail.work(turn)
            except Exception as error:  # a pair's last resort: its caller quarantines that pair alone
                if not mail.done.cancelled():
                    mail.done.set_exception(error)
                continue
            self._merge(turn)
            decided.append((mail, turn))
        self._commit(decided)

    def _merge(self, turn: Turn) -> None:
        batch = self._batch
        for key, record in turn.staged.items():
            before = turn.before[key]
            if isinstance(record, PositionRecord):
                self.commitments.replace(before if isinstance(before, PositionRecord) else None, record)
            known = batch.records.get(key)
            base = known[1] if known else (before.version if before else 0)
            batch.records[key] = (record, base)
            self._overlay[key] = record
        batch.journal += turn.journal
        batch.fills += turn.fills
        batch.outbox += turn.outbox
        batch.outbox_done += turn.outbox_done
        batch.signals += turn.signals
        batch.facts.update(turn.facts)
        batch.commands += turn.commands

    def _commit(self, decided: list[tuple[Mail, Turn]]) -> None:
        batch, overlay = self._batch, self._overlay
        self._batch, self._overlay = CommitBatch(), {}
        try:
            if not batch.is_empty:
                self.store.commit(batch)
                self.metrics.transitions += len(batch.journal)
        except Exception as error:  # whatever the fault: nothing has happened, and all are told
            self._undo([turn for _, turn in decided])
            self.store_fault = str(error)
            fault = error if isinstance(error, StoreError) else StoreError(repr(error))
            for mail, _ in decided:
                if not mail.done.cancelled():
                    mail.done.set_exception(fault)
            return
        self._store_works()
        self.facts.update(batch.facts)
        for record in overlay.values():
            self.working.put(record)
        touched = dict.fromkeys(r.id for r in overlay.values() if isinstance(r, PositionRecord))
        touched |= dict.fromkeys(r.position_id for r in overlay.values() if isinstance(r, OrderRecord))
        for position_id in touched:
            position = overlay.get(("position", position_id)) or self.working.positions.get(position_id)
            if isinstance(position, PositionRecord):
                self.working.refresh_watch(position)
        for mail, turn in decided:
            self.metrics.anomalies += turn.anomalies
            effects: list[Effect] = [*turn.outbox, *turn.effects]
            if mail.carry_out is not None:
                for effect in effects:
                    self.start(effect, mail.carry_out)
            if not mail.done.cancelled():
                mail.done.set_result(effects)

    def _store_works(self) -> None:
        if self.store_fault:
            logger.bind(event="store_works_again", fault=self.store_fault).warning("store_works_again")
        self.store_fault, self.fault_was_told = "", False

    def _undo(self, turns: Sequence[Turn]) -> None:
        """Releases what the failed turns had reserved, from memory alone: the store may be gone."""
        for turn in reversed(turns):
            for key, record in turn.staged.items():
                before = turn.before[key]
                if isinstance(record, PositionRecord):
                    self.commitments.replace(record, before if isinstance(before, PositionRecord) else None)

    def pair(self, symbol: str) -> PairRecord:
        record = self._overlay.get(("pair", symbol))
        return record if isinstance(record, PairRecord) else self.working.pair(symbol)

    def permission(self, scope: str) -> PermissionRecord:
        record = self._overlay.get(("permission", scope))
        return record if isinstance(record, PermissionRecord) else self.working.permission(scope)

    def position(self, position_id: str) -> PositionRecord | None:
        record = self._overlay.get(("position", position_id))
        return record if isinstance(record, PositionRecord) else self.working.position(position_id)

    def order(self, client_order_id: str) -> OrderRecord | None:
        record = self._overlay.get(("order", client_order_id))
        return record if isinstance(record, OrderRecord) else self.working.order(client_order_id)

    def live_order(self, client_order_id: str) -> OrderRecord | None:
        """None for an order that has ended: the archive is not asked."""
        record = self._overlay.get(("order", client_order_id))
        return record if isinstance(record, OrderRecord) else self.working.orders.get(client_order_id)

    def positions_of(self, symbol: str) -> Iterator[PositionRecord]:
        if not self._overlay:
            return iter(list(self.working.positions_of(symbol)))
        living = {position.id: position for position in self.working.positions_of(symbol)}
        for record in self._overlay.values():
            if isinstance(record, PositionRecord) and record.symbol == symbol:
                living[record.id] = record
        return iter(living.values())

    def fill_is_known(self, symbol: str, fill_id: str) -> bool:
        pending = any(fill.id == fill_id and fill.symbol == symbol for fill in self._batch.fills)
        return pending or self.archive.has_fill(symbol, fill_id)

    def deliver(self, news: OrderNews) -> None:
        """Order news wait here until `update_open_positions` applies them."""
        self._news.append(news)

    def take_news(self) -> list[OrderNews]:
        news = list(self._news)
        self._news.clear()
        return news

    def give_back_news(self, news: OrderNews) -> None:
        """After a failed commit: nothing that became known of an order may be lost."""
        self._news.append(news)

    def start(self, effect: Effect, carry_out: CarryOut) -> None:
        """Runs an effect beside the ticks; what it learns comes back as news.

        While sends are held, at a start, only look-ups run: nothing new is sent before what is outstanding is known.
        """
        if self.sends_are_held and not isinstance(effect, LookUp):
            self._held.append((effect, carry_out))
            return
        if self._at_once:
            self._to_settle.append((effect, carry_out))
            return
        task = asyncio.get_running_loop().create_task(carry_out(effect))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def release_sends(self) -> None:
        self.sends_are_held = False
        held, self._held = self._held, []
        for effect, carry_out in held:
            self.start(effect, carry_out)

    @property
    def effects_under_way(self) -> int:
        return len(self.under_way)

    @property
    def waiting(self) -> dict[str, int]:
        """What has come and is not yet decided on, by kind."""
        return {"mail": len(self._mail), "news": len(self._news)}

    async def settle(self, timeout_s: float | None = None) -> bool:
        """Waits until no effect is under way; False when the time ran out first."""
        while self._to_settle:
            effect, carry_out = self._to_settle.popleft()
            await carry_out(effect)
        loop = asyncio.get_running_loop()
        ends_at_s = None if timeout_s is None else loop.time() + timeout_s
        while self._tasks:
            if ends_at_s is None and len(self._tasks) == 1:
                (task,) = self._tasks
                await task
                self._tasks.discard(task)
                continue
            left_s = None if ends_at_s is None else max(ends_at_s - loop.time(), 0)
            _, late = await asyncio.wait(self._tasks, timeout=left_s)
            if late and ends_at_s is not None:
                return False
        return True

    def save_progress(self, progress: Progress) -> None:
        """Best effort: a heartbeat that cannot be written must not stop the engine."""
        try:
            self.store.save_progress(progress)
        except StoreConflict:
            raise
        except StoreError as error:
            if not self.store_fault:
                logger.bind(event="progress_not_saved", fault=str(error)).warning("progress_not_saved")
            self.store_fault = str(error)
        else:
            self._store_works()
