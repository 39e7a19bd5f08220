"""One decision in the making: what it reads, stages and raises next. Nothing of it counts before the commit."""

from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from fsm.commit import AnsweredCommand, JournalEntry, OfferedSignal, OutboxRow
from fsm.records import Fill, OrderRecord, PairRecord, PermissionRecord, PositionRecord, Record
from services.messages import Signal

Update = Callable[[Any], None]
"""Writes an event's facts into the copied record before the guards are asked."""


@dataclass(slots=True)
class Happening:
    """An event on its way to one subject."""

    machine: str
    subject_id: str
    event: str
    update: Update | None = None
    fills: list[Fill] = field(default_factory=list)
    """An order's new fills; taken out by the effect that tells the position."""
    note: str = ""
    """Goes into the journal beside the move: who decided, where a person did."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """A question to the exchange about one order. It changes nothing there, so it needs no outbox row."""

    client_order_id: str
    symbol: str


Effect = OutboxRow | LookUp
CarryOut = Callable[[Effect], Coroutine[Any, Any, None]]
"""Performs a committed effect and brings back what became known; it must not raise."""


class WorkingView(Protocol):
    """The live subjects as the last turn left them."""

    def pair(self, symbol: str) -> PairRecord: ...

    def permission(self, scope: str) -> PermissionRecord: ...

    def position(self, position_id: str) -> PositionRecord | None: ...

    def order(self, client_order_id: str) -> OrderRecord | None: ...

    def live_order(self, client_order_id: str) -> OrderRecord | None: ...

    def positions_of(self, symbol: str) -> Iterator[PositionRecord]: ...


class Turn:
    """The changes that one mail of one pair causes, seen through a view of everything before it."""

    __slots__ = (
        "anomalies",
        "asked_at_ms",
        "because",
        "before",
        "commands",
        "effects",
        "facts",
        "fills",
        "journal",
        "memory",
        "now_ms",
        "outbox",
        "outbox_done",
        "queue",
        "signal",
        "signals",
        "staged",
        "symbol",
        "view",
        "wait_ms",
    )

    def __init__(self, view: WorkingView, symbol: str, now_ms: int) -> None:
        self.view = view
        self.symbol = symbol
        self.now_ms = now_ms
        self.signal: Signal | None = None
        self.asked_at_ms = now_ms
        """When the question left whose answer this turn reads: an absence is of that moment, not of now."""
        self.wait_ms = 0
        """For how long the exchange takes no order, where the refusal that this turn reads said so."""
        self.because = ""
        """The refusals that led to the row being carried out, when it is one of the last resort."""
        self.staged: dict[tuple[str, str], Record] = {}
        self.before: dict[tuple[str, str], Record | None] = {}
        """Each staged subject as the turn found it; None for one born in it."""
        self.anomalies = 0
        self.journal: list[JournalEntry] = []
        self.fills: list[Fill] = []
        self.outbox: list[OutboxRow] = []
        self.outbox_done: list[str] = []
        self.signals: list[OfferedSignal] = []
        self.facts: dict[str, str] = {}
        self.commands: list[AnsweredCommand] = []
        self.effects: list[Effect] = []
        self.queue: deque[Happening] = deque()
        self.memory: dict[str, Any] = {}
        """What guards have counted; forgotten at the next change."""

    def raise_event(
        self, machine: str, subject_id: str, event: str, update: Update | None = None, note: str = ""
    ) -> None:
        self.queue.append(Happening(machine, subject_id, event, update, note=note))

    def give_birth(self, record: Record) -> None:
        """Stages a new subject in its initial state; its first move journals all its fields."""
        key = (record.machine, record.subject_id)
        self.staged[key], self.before[key] = record, None
        self.memory.clear()

    def stage(self, after: Record, before: Record) -> None:
        key = (after.machine, after.subject_id)
        self.staged[key] = after
        self.memory.clear()
        self.before.setdefault(key, before)

    def subject(self, machine: str, subject_id: str) -> Record | None:
        """The record as this turn sees it. Owned by others: copy before changing."""
        staged = self.staged.get((machine, subject_id))
        if staged is not None:
            return staged
        return _READERS[machine](self.view, subject_id)

    def pair(self, symbol: str) -> PairRecord:
        record = self.subject("pair", symbol)
        assert isinstance(record, PairRecord)
        return record

    def permission(self, scope: str) -> PermissionRecord:
        record = self.subject("permission", scope)
        assert isinstance(record, PermissionRecord)
        return record

    def position(self, position_id: str) -> PositionRecord | None:
        record = self.subject("position", position_id)
        assert record is None or isinstance(record, PositionRecord)
        return record

    def order(self, client_order_id: str) -> OrderRecord | None:
        record = self.subject("order", client_order_id)
        assert record is None or isinstance(record, OrderRecord)
        return record

    def positions_of(self, symbol: str) -> Iterator[PositionRecord]:
        """Every position of the pair that lives, or lived when this turn began, in its present form."""
        present = {position.id: position for position in self.view.positions_of(symbol)}
        for staged in self.staged.values():
            if isinstance(staged, PositionRecord) and staged.symbol == symbol:
                present[staged.id] = staged
        return iter(list(present.values()))


Work = Callable[[Turn], None]
"""What is done in a turn, by whoever asked for it."""

_READERS: dict[str, Callable[[WorkingView, str], Record | None]] = {
    "pair": lambda view, key: view.pair(key),
    "permission": lambda view, key: view.permission(key),
    "position": lambda view, key: view.position(key),
    "order": lambda view, key: view.order(key),
}
