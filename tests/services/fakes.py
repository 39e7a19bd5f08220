"""Hand-written fakes of the orchestrator's five collaborators; all of them write into one list of calls."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from fsm import order as order_machine
from fsm import position as position_machine
from fsm.commit import StoreError
from fsm.order import ORDER
from fsm.position import POSITION
from fsm.records import OrderRecord, PairRecord, PermissionRecord, PositionRecord, Record
from fsm.values import Verdict
from services.clocks import GivenClock
from services.deals.exit_levels import Watch, write_rules
from services.messages import BadSignal, BadTick, OrderNews, PairRules, RiskLimits, Signal, Tick
from services.metrics import EngineMetrics
from services.refusals import RefusalMemory
from services.signal_aggregation import StrategyFailed
from services.strategies.external import External
from services.trading_orchestrator import TradingOrchestrator
from services.turns.bindings import Bindings
from services.turns.turn import CarryOut, Effect, Turn, Work
from tests.services.reports import PAIR

NOW_MS = 1_700_000_000_000
TODAY = "2023-11-14"
RULES = PairRules(PAIR)


def verdict_of(answers: dict[str, str], guard: str) -> Verdict:
    """A guard holds unless the answers have words against it."""
    return Verdict(guard, guard not in answers, answers.get(guard, "it holds"))


class FakeMarket:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.refuses = ""

    def observe(self, data: dict[str, Any]) -> Tick:
        self.calls.append("observe")
        if self.refuses:
            raise BadTick(self.refuses)
        return Tick(data["symbol"], NOW_MS, Decimal(data["last"]), is_sample=data.get("sample", True))

    def market(self, symbol: str) -> Any:
        return SimpleNamespace(last=Decimal(10))


class FakeSignals:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.refusals: dict[str, str] = {}
        self.next: Signal | None = None
        self.raises = False

    def evaluate(self, tick: Tick) -> Signal | None:
        self.calls.append("evaluate")
        if self.raises:
            raise StrategyFailed(tick.symbol, External(), ZeroDivisionError("by zero"))
        signal, self.next = self.next, None
        return signal

    def roll_back(self, failure: StrategyFailed, tick: Tick) -> None:
        """There is no predecessor."""

    def parse(self, data: dict[str, Any], side: str) -> Signal:
        if "id" not in data:
            raise BadSignal("id: is missing")
        return signal(side, id_=data["id"])

    def signal_is_new(self, offered: Signal) -> Verdict:
        return verdict_of(self.refusals, "signal_is_new")

    def signal_is_fresh(self, offered: Signal, now_ms: int) -> Verdict:
        return verdict_of(self.refusals, "signal_is_fresh")

    def describe(self, symbol: str) -> str:
        return '[{"name":"fake"}]'


class FakeRisk:
    def __init__(self) -> None:
        self.rules = {PAIR: RULES}
        self.limits = RiskLimits(max_daily_loss=Decimal(50))
        self.refusals: dict[str, str] = {}
        self.worth = Decimal(1000)

    def cooldown_is_over(self, turn: Turn, pair: PairRecord) -> Verdict:
        return verdict_of(self.refusals, "cooldown_is_over")

    def price_is_fresh(self, turn: Turn, pair: PairRecord) -> Verdict:
        return verdict_of(self.refusals, "price_is_fresh")

    def risk_allows_entry(self, turn: Turn, pair: PairRecord) -> Verdict:
        return verdict_of(self.refusals, "risk_allows_entry")

    def equity(self) -> Decimal:
        return self.worth

    def daily_loss_verdict(self) -> Verdict:
        return verdict_of(self.refusals, "max_daily_loss")


class FakeExecutor:
    """Answers for every guard and effect of the position and the order; its effects are noted by name."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.refusals: dict[str, str] = {}
        self.foreign = False
        self.bindings = Bindings(
            guards={
                table.name: {name: self._guard(name) for name in table.guards} for table in (POSITION, ORDER)
            },
            effects={
                table.name: {name: self._effect(name) for name in table.effects}
                for table in (POSITION, ORDER)
            },
            deadlines={
                state.deadline: lambda turn, _: turn.now_ms + 1000
                for table in (POSITION, ORDER)
                for state in table.states
                if state.deadline
            },
        )

    def _guard(self, name: str) -> Callable[[Turn, Any], Verdict]:
        return lambda turn, record: verdict_of(self.refusals, name)

    def _effect(self, name: str) -> Callable[[Turn, Any, Any], None]:
        return lambda turn, record, happening: self.calls.append(f"{name} {record.subject_id}")

    def read_news(self, turn: Turn, news: OrderNews) -> bool:
        self.calls.append(f"news {news.client_order_id}")
        return not self.foreign


@dataclass
class FakeWorking:
    calls: list[str]
    pairs: dict[str, PairRecord]
    hits: list[Watch] = field(default_factory=list)
    due: list[tuple[str, str]] = field(default_factory=list)
    given_back: list[tuple[str, str]] = field(default_factory=list)

    def touched(self, tick: Tick) -> list[Watch]:
        self.calls.append("touched")
        return self.hits

    def take_due(self, now_ms: int) -> list[tuple[str, str]]:
        due, self.due = self.due, []
        return due

    def give_back(self, machine: str, subject_id: str, now_ms: int) -> None:
        self.given_back.append((machine, subject_id))


class FakeState:
    """Runs each turn at once; commits it unless an error was scripted for it."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.clock = GivenClock(NOW_MS)
        self.subjects: dict[tuple[str, str], Record] = {}
        self.metrics = EngineMetrics()
        self.refusals = RefusalMemory()
        self.facts = {"day": TODAY, "day_start_equity": "1000"}
        self.day_ends_ms = 0
        self.store_fault = ""
        self.fault_was_told = False
        self.deadlines_are_held = False
        self.sends_are_held = False
        self.tag = "dfake"
        self.faults: deque[Exception | None] = deque()
        self.committed: list[Turn] = []
        self.news: list[OrderNews] = []
        for scope in (PAIR, "engine"):
            self.put(PermissionRecord(state="active", scope=scope))
        self.put(PairRecord(state="idle", symbol=PAIR))
        self.working = FakeWorking(calls, {PAIR: self.pair(PAIR)})

    def put(self, record: Record) -> None:
        self.subjects[record.machine, record.subject_id] = record

    def transact(
        self, symbol: str, work: Work, carry_out: CarryOut | None = None, *, urgent: bool = False
    ) -> asyncio.Future[list[Effect]]:
        self.calls.append(f"turn {symbol}{' urgent' if urgent else ''}")
        future: asyncio.Future[list[Effect]] = asyncio.get_running_loop().create_future()
        turn = Turn(cast(Any, self), symbol, self.clock.now_ms())
        fault = self.faults.popleft() if self.faults else None
        try:
            work(turn)
        except Exception as error:
            fault = error
        if fault is not None:
            self.store_fault = str(fault) if isinstance(fault, StoreError) else ""
            future.set_exception(fault)
            return future
        for record in turn.staged.values():
            self.put(record)
        self.working.pairs[PAIR] = self.pair(PAIR)
        self.committed.append(turn)
        future.set_result([])
        return future

    def pair(self, symbol: str) -> PairRecord:
        return cast(PairRecord, self.subjects["pair", symbol])

    def permission(self, scope: str) -> PermissionRecord:
        return cast(PermissionRecord, self.subjects["permission", scope])

    def position(self, position_id: str) -> PositionRecord | None:
        return cast("PositionRecord | None", self.subjects.get(("position", position_id)))

    def live_order(self, client_order_id: str) -> OrderRecord | None:
        return self.order(client_order_id)

    def order(self, client_order_id: str) -> OrderRecord | None:
        return cast("OrderRecord | None", self.subjects.get(("order", client_order_id)))

    def positions_of(self, symbol: str) -> Iterator[PositionRecord]:
        return iter([record for record in self.subjects.values() if isinstance(record, PositionRecord)])

    def next_position_number(self) -> int:
        return 1

    def take_news(self) -> list[OrderNews]:
        news, self.news = self.news, []
        return news

    def deliver(self, news: OrderNews) -> None:
        self.news.append(news)

    give_back_news = deliver


class Troupe:
    """An orchestrator and its five fakes."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.market, self.signals = FakeMarket(self.calls), FakeSignals(self.calls)
        self.risk, self.executor = FakeRisk(), FakeExecutor(self.calls)
        self.state = FakeState(self.calls)
        self.orchestrator = self.another()

    def another(self) -> TradingOrchestrator:
        """One more orchestrator over the same fakes."""
        fakes = (self.signals, self.executor, self.risk, self.market, self.state)
        return TradingOrchestrator(*cast(Any, fakes))

    def holds(self, position_id: str, state: str = position_machine.OPEN, **others: Any) -> PositionRecord:
        """From now on the pair has this position, with a resting entry order."""
        rules, order_id = write_rules(RULES), f"{position_id}e01"
        position = PositionRecord(
            state=state,
            version=1,
            id=position_id,
            symbol=PAIR,
            rules=rules,
            entry_order_id=order_id,
            **others,
        )
        self.state.put(position)
        order = OrderRecord(order_machine.WORKING, 1, client_order_id=order_id, symbol=PAIR)
        self.state.put(order)
        return position

    def position(self, position_id: str) -> PositionRecord:
        position = self.state.position(position_id)
        assert position is not None
        return position

    def pair_is(self, state: str, signal: str = "") -> None:
        pair = PairRecord(state=state, version=1, symbol=PAIR, signal=signal)
        self.state.put(pair)
        self.state.working.pairs[PAIR] = pair


def signal(side: str = "buy", id_: str = "s1", reason: str = "because") -> Signal:
    return Signal(id_, PAIR, side, 1.0, reason, NOW_MS, NOW_MS + 30_000)


def price(last: str = "10", **others: object) -> dict[str, Any]:
    return {"symbol": PAIR, "last": last, **others}


def watch(position_id: str, below: str = "9", above: str = "11", *, is_entry: bool = False) -> Watch:
    low, high = Decimal(below), Decimal(above)
    return Watch(position_id, is_entry, low, high, None, Decimal(0), low, high)
