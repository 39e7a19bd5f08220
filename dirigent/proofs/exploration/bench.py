"""The real engine, put into any state, given one mail, and asked what it committed: the exploration's only rules."""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from dirigent.proofs.exploration.deals import (
    ARMED_MS,
    LATE_ARRIVAL_MS,
    NOW_MS,
    PRICE,
    TAG,
    WINDOW_MS,
    Deal,
    renamed,
)
from dirigent.proofs.exploration.still_loop import StillLoop
from dirigent.wiring import Engine, Parts, build
from fsm.commit import CommitBatch, JournalEntry, OutboxRow, Progress, StoredState
from fsm.order import SUBMITTING
from fsm.pair import SIGNALLED
from fsm.permission import ACTIVE, ENGINE_SUBJECT
from fsm.records import Fill, OrderRecord, PairRecord, PermissionRecord, PositionRecord, Record
from services.deals.pair_coordination import accept_signal
from services.messages import Balance, MarketRules, OrderNews, OrderReport, OrderRequest, PairRules, Signal
from services.turns.turn import Effect, LookUp, Work

SYMBOL = "ADA/USDT"
SIGNAL = Signal("s1", SYMBOL, "buy", 1.0, "explored", NOW_MS, ARMED_MS)
SELL = Signal("s2", SYMBOL, "sell", 1.0, "explored", NOW_MS, ARMED_MS)
STALE_MS = 60_000


class Shared(NamedTuple):
    """The pair and its permission."""

    pair: str
    pair_is_armed: bool
    permission: str


@dataclass(frozen=True, slots=True)
class OutsideSignals:
    """The strategy of a pair whose signals all come from outside."""

    name: str = "external"
    weight: float = 1.0
    params: Mapping[str, object] = field(default_factory=dict)


class Left(BaseException):
    """The request has left the engine; its answer is a matter of its own."""


@dataclass(slots=True)
class Desk:
    """Answers what the move says; `leave` lets a request go without an answer."""

    rules: MarketRules
    answer: OrderReport | Exception | Left | None = None
    requests: list[OrderRequest] = field(default_factory=list)
    late_arrival_ms: int = LATE_ARRIVAL_MS

    def _say(self) -> OrderReport | None:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def create_order(self, request: OrderRequest) -> OrderReport:
        self.requests.append(request)
        report = self._say()
        assert report is not None
        return report

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        report = self._say()
        assert report is not None
        return report

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        return self._say()

    async def watch_orders(self) -> list[OrderReport]:
        return []

    async def fetch_balance(self) -> dict[str, Balance]:
        return {}

    def market(self, symbol: str) -> MarketRules:
        return self.rules


class Memory:
    """A store and archive of one state: what a turn reads is loaded, what it commits is kept until the next."""

    def __init__(self, loop: StillLoop) -> None:
        self.loop = loop
        self.orders: dict[str, OrderRecord] = {}
        self.positions: dict[str, PositionRecord] = {}
        self.fills: set[str] = set()
        self.batch = CommitBatch()

    def load(self) -> StoredState:
        return StoredState(TAG, 1, 0, [], [], [], [], {}, {}, [])

    def commit(self, batch: CommitBatch) -> None:
        self.batch = batch
        self.loop.log.append(None)

    def save_progress(self, progress: Progress) -> None:
        return None

    def find_order(self, client_order_id: str) -> OrderRecord | None:
        return self.orders.get(client_order_id)

    def find_position(self, position_id: str) -> PositionRecord | None:
        return self.positions.get(position_id)

    def has_fill(self, symbol: str, fill_id: str) -> bool:
        return fill_id in self.fills

    def signal_was_offered(self, signal_id: str) -> bool:
        return False


class HandSetClock:
    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one or several mails did: everything that was committed, what was started, and what went wrong."""

    records: Mapping[tuple[str, str], Record]
    fills: Sequence[Fill]
    journal: Sequence[JournalEntry]
    effects: Sequence[Effect]
    fault: str = ""

    @property
    def is_nothing(self) -> bool:
        return not (self.records or self.fills or self.effects or self.fault)


def content_of(outcome: Outcome, records: Mapping[tuple[str, str], Record]) -> str:
    """The same text for outcomes that do the same, given levelled records."""
    moves = [(m.machine, m.subject_id, m.event, m.source, m.target, m.outcome) for m in outcome.journal]
    effects = [(effect.client_order_id, getattr(effect, "kind", "look_up")) for effect in outcome.effects]
    written = [(key, repr(record)) for key, record in records.items()]
    return repr((written, [fill.id for fill in outcome.fills], moves, effects, outcome.fault))


def fill_id(client_order_id: str, number: int) -> str:
    return f"{client_order_id}#{number}"


class Bench:
    """One engine for all states; each call loads the state it is about."""

    def __init__(self, amount: int, amount_min: int, attempts: int) -> None:
        market = MarketRules(SYMBOL, Decimal(1), Decimal("0.01"), amount_min=Decimal(amount_min))
        rules = PairRules(
            SYMBOL,
            deal_quota=amount * PRICE,
            max_deals=100,
            order_type="limit",
            stop_loss=Decimal("0.1"),
            max_hold_s=3600,
            entry_attempts=attempts,
        )
        self.loop = StillLoop()
        self.memory = Memory(self.loop)
        self.desk = Desk(market)
        self.clock = HandSetClock()
        parts = Parts(self.memory, self.desk, self.clock, {SYMBOL: rules}, {SYMBOL: [OutsideSignals()]})
        self.engine: Engine = build(parts)
        self.engine.market.clock = self.price_clock = HandSetClock()
        price = {"symbol": SYMBOL, "timestamp": NOW_MS, "last": str(PRICE), "bid": str(PRICE)}
        self.engine.market.observe(price)
        self.turns = 0
        self.taken: set[tuple[str, str, str, str]] = set()
        """Every row of a table that was taken: machine, source, event, target."""

    def load(self, shared: Shared, deals: Sequence[Deal]) -> None:
        """The first deal keeps its names; the others get the position numbers from 2."""
        state, memory = self.engine.state, self.memory
        working = state.working
        for held in (working.orders, working.positions, working.watches, memory.orders, memory.positions):
            held.clear()
        working.positions_by_symbol.clear()
        working._due.clear()
        memory.fills.clear()
        memory.batch = CommitBatch()
        state.tag, state.last_position_number = TAG, len(deals)
        state.commitments.quote_total = Decimal(1_000_000)
        self.price_clock.at_ms = self.clock.at_ms
        pair = PairRecord(shared.pair, 1, ARMED_MS if shared.pair_is_armed else None, symbol=SYMBOL)
        if shared.pair == SIGNALLED:
            accept_signal(SIGNAL)(pair)
        permission = PermissionRecord(shared.permission, 1, scope=SYMBOL)
        working.pairs[SYMBOL], working.permissions[SYMBOL] = pair, permission
        working.permissions[ENGINE_SUBJECT] = PermissionRecord(ACTIVE, 1, scope=ENGINE_SUBJECT)
        creating, left_at_ms = self.engine.orders._creating, self.engine.orders._left_at_ms
        creating.clear()
        left_at_ms.clear()
        for number, deal in enumerate(deals, 1):
            position, tickets = renamed(deal, number)
            memory.positions[position.id] = position
            working.put(position)
            for ticket in tickets:
                identity = ticket.record.client_order_id
                memory.orders[identity] = ticket.record
                working.put(ticket.record)
                memory.fills.update(fill_id(identity, number) for number in ticket.booked)
                if ticket.truth.creating == "waiting":
                    creating.add(identity)
                if ticket.truth.answered_age is not None:
                    left_at_ms[identity] = NOW_MS - ticket.truth.answered_age * WINDOW_MS

    def run(self, works: Sequence[Work]) -> Outcome:
        """Posts the mails together and drains them: the real turns, merged and committed by the real service."""
        state, loop = self.engine.state, self.loop
        loop.log.clear()
        self.turns += len(works)
        with loop.current():
            futures = [state.transact(SYMBOL, work, _note, urgent=True) for work in works]
            loop.drain()
        fault = ""
        for future in futures:
            error = future.exception()
            if error is not None:
                fault = f"the turn failed: {error!r}"
        return self._outcome(fault)

    def _outcome(self, fault: str) -> Outcome:
        batch, effects, committed = self.memory.batch, [], False
        for entry in self.loop.log:
            if entry is None:
                committed = True
                continue
            effects.append(entry)
            if isinstance(entry, OutboxRow) and not committed:
                fault = fault or f"{entry.kind} started before its commit"
        for move in batch.journal:
            if move.outcome == "moved":
                self.taken.add((move.machine, move.source, move.event, move.target))
        records = {key: record for key, (record, _) in batch.records.items()}
        return Outcome(records, batch.fills, batch.journal, effects, fault)

    def perform(self, effect: Effect, answer: OrderReport | Exception | Left | None) -> OrderNews | None:
        """What the real executor makes of an answer; None when the request has left and the answer is to come."""
        self.desk.answer = answer
        call: Coroutine[Any, Any, OrderNews] = self.engine.orders.perform(effect)
        try:
            call.send(None)
        except StopIteration as done:
            news: OrderNews = done.value
            return news
        except Left:
            return None
        raise AssertionError("a request neither left nor was answered")

    def answer_to_create(self, identity: str, answer: OrderReport | Exception) -> OrderNews:
        """The answer to a request that left earlier: its check before leaving has passed then."""
        orders = self.engine.state.working.orders
        kept = orders.get(identity)
        sent = self.memory.orders[identity].copy()
        sent.state = SUBMITTING
        orders[identity] = sent
        news = self.perform(OutboxRow(f"{identity}:create", "send_order", identity, SYMBOL, NOW_MS), answer)
        del orders[identity]
        if kept is not None:
            orders[identity] = kept
        assert news is not None
        return news

    def answer_to_question(
        self, identity: str, asked_age: int, answer: OrderReport | Exception | None
    ) -> OrderNews:
        self.clock.at_ms = NOW_MS - asked_age * WINDOW_MS
        try:
            news = self.perform(LookUp(identity, SYMBOL), answer)
        finally:
            self.clock.at_ms = NOW_MS
        assert news is not None
        return news

    def shared_after(self, shared: Shared, outcome: Outcome) -> Shared:
        pair = outcome.records.get(("pair", SYMBOL))
        permission = outcome.records.get(("permission", SYMBOL))
        return Shared(
            pair.state if pair else shared.pair,
            pair.due_at_ms is not None if pair else shared.pair_is_armed,
            permission.state if permission else shared.permission,
        )


def _note(effect: Effect) -> Any:
    """Stands where the coroutine of an effect stands: the loop notes it."""
    return effect
