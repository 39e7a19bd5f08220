"""Watches every commit: what is cheap to check is checked there, and each row that was taken is noted."""

from collections.abc import Iterable
from decimal import Decimal

from dirigent.proofs.simulation.world import World
from fsm.commit import CommitBatch, JournalEntry
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.records import OrderRecord, PositionRecord, Record
from fsm.table import Row
from services.messages import OrderReport

_TABLES = {table.name: table for table in (ORDER, POSITION, PAIR, PERMISSION)}
RowName = tuple[str, int]
"""The machine and the row's number in its table, from 1."""


class Observer:
    """Of one history. What a death takes back is taken back here by `restart`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rows_taken: set[RowName] = set()
        self.anomalies = 0
        self.transitions = 0
        self._filled: dict[tuple[str, str], tuple[str, Decimal]] = {}
        self._fills: set[tuple[str, str]] = set()
        self._fills_to_sync: set[tuple[str, str]] = set()

    def restart(self, records: Iterable[Record], fills: Iterable[tuple[str, str]]) -> None:
        """What the disk still has counts from here on."""
        self._filled = {(r.machine, r.subject_id): (r.state, _progress(r)) for r in records}
        self._fills, self._fills_to_sync = set(fills), set()

    def synced(self) -> None:
        self._fills |= self._fills_to_sync
        self._fills_to_sync.clear()

    def is_recorded(self, report: OrderReport) -> bool:
        """Whether its trades are stored so that no power cut takes them back."""
        return all((fill.symbol, fill.id) in self._fills for fill in report.fills)

    def is_heard(self, report: OrderReport) -> bool:
        """Whether its trades are stored, though a power cut may take them back."""
        known = self._fills | self._fills_to_sync
        return all((fill.symbol, fill.id) in known for fill in report.fills)

    def committed(self, batch: CommitBatch) -> None:
        for (machine, identity), (record, _) in batch.records.items():
            if isinstance(record, OrderRecord | PositionRecord):
                self._check(machine, identity, record)
        for fill in batch.fills:
            self._fills_to_sync.add((fill.symbol, fill.id))
        for entry in batch.journal:
            self._note(entry)

    def _check(self, machine: str, identity: str, record: OrderRecord | PositionRecord) -> None:
        progress = _progress(record)
        state, before = self._filled.get((machine, identity), (record.state, progress))
        if progress < before:
            self._world.violate(f"{machine} {identity}: filled fell from {before} to {progress}")
        if state != record.state and state in _TABLES[machine].finals and progress <= before:
            self._world.violate(f"{machine} {identity}: left {state} for {record.state} without a fill")
        if isinstance(record, PositionRecord) and record.quantity + record.dust < 0:
            self._world.violate(
                f"position {identity} holds {record.quantity + record.dust}: more sold than bought"
            )
        self._filled[machine, identity] = (record.state, progress)

    def _note(self, entry: JournalEntry) -> None:
        self.transitions += 1
        world = self._world
        if world.story is not None:
            moved = f"{entry.source} -> {entry.target}" if entry.outcome == "moved" else entry.outcome
            world.tell(f"{entry.machine} {entry.subject_id}: {entry.event}: {moved} {entry.note}")
        if entry.outcome == "moved":
            self.rows_taken.add((entry.machine, _row_number(entry)))
        elif entry.outcome == "anomaly":
            self.anomalies += 1


def _progress(record: Record) -> Decimal:
    """What only grows: the filled amount of an order, all that a position bought and sold."""
    if isinstance(record, OrderRecord):
        return record.filled
    assert isinstance(record, PositionRecord)
    return record.bought + record.sold


_NUMBERS: dict[tuple[str, str, str, tuple[tuple[str, bool], ...]], int] = {}


def _row_number(entry: JournalEntry) -> int:
    """The first row of source and event whose guards all held, as the engine chose it."""
    asked = tuple((verdict.guard, verdict.holds) for verdict in entry.verdicts)
    key = (entry.machine, entry.source, entry.event, asked)
    number = _NUMBERS.get(key)
    if number is None:
        table, holds = _TABLES[entry.machine], dict(asked)
        row = next(
            row
            for row in table.rows_of(entry.source, entry.event)
            if all(holds.get(guard, False) for guard in row.guards)
        )
        number = _NUMBERS[key] = table.rows.index(row) + 1
    return number


def rows_of_interest() -> dict[RowName, Row]:
    """The rows of the order, the position and the pair."""
    return {
        (name, number): row
        for name in ("order", "position", "pair")
        for number, row in enumerate(_TABLES[name].rows, start=1)
    }
