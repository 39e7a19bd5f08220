"""The live subjects in memory: every pair and permission, and the positions and orders that have not ended."""

import heapq
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fsm import order as order_machine
from fsm import position as position_machine
from fsm.records import OrderRecord, PairRecord, PermissionRecord, PositionRecord, Record
from services.deals.exit_levels import Watch, watch_of
from services.messages import Tick
from services.ports import Archive

_ENDED = {"position": position_machine.POSITION.finals, "order": order_machine.ORDER.finals}
_NEVER_MS = 2**62


@dataclass(slots=True)
class WorkingSet:
    """Holds what lives and forgets what has ended; the archive answers for the rest."""

    archive: Archive
    pairs: dict[str, PairRecord] = field(default_factory=dict)
    permissions: dict[str, PermissionRecord] = field(default_factory=dict)
    positions: dict[str, PositionRecord] = field(default_factory=dict)
    orders: dict[str, OrderRecord] = field(default_factory=dict)
    positions_by_symbol: dict[str, dict[str, PositionRecord]] = field(default_factory=dict)
    watches: dict[str, dict[str, Watch]] = field(default_factory=dict)
    _due: list[tuple[int, str, str]] = field(default_factory=list)
    _due_limit: int = 1_000

    def put(self, record: Record) -> None:
        """Takes in a committed record, or drops it when it has ended."""
        ended = record.state in _ENDED.get(record.machine, ())
        if isinstance(record, PositionRecord):
            self._put_position(record, ended)
        elif isinstance(record, OrderRecord):
            if ended:
                self.orders.pop(record.client_order_id, None)
            else:
                self.orders[record.client_order_id] = record
        elif isinstance(record, PairRecord):
            self.pairs[record.symbol] = record
        elif isinstance(record, PermissionRecord):
            self.permissions[record.scope] = record
        if record.due_at_ms is not None and not ended:
            heapq.heappush(self._due, (record.due_at_ms, record.machine, record.subject_id))
            if len(self._due) > self._due_limit:
                self._forget_old_deadlines()

    def _put_position(self, position: PositionRecord, ended: bool) -> None:
        siblings = self.positions_by_symbol.setdefault(position.symbol, {})
        if ended:
            self.positions.pop(position.id, None)
            siblings.pop(position.id, None)
        else:
            self.positions[position.id] = siblings[position.id] = position

    def refresh_watch(self, position: PositionRecord) -> None:
        """Called after all records of a commit are in, since an entering position is watched by its order."""
        watches = self.watches.setdefault(position.symbol, {})
        old = watches.pop(position.id, None)
        if position.id not in self.positions:
            return
        new = watch_of(position, self.orders.get(position.entry_order_id))
        if new is not None:
            if old is not None and not old.is_entry:
                new.lift(old.high)
            watches[position.id] = new

    def touched(self, tick: Tick) -> list[Watch]:
        """The watches whose band this price leaves. Trailing stops follow a price that stays inside."""
        watches = self.watches.get(tick.symbol)
        if not watches:
            return []
        price = tick.last
        hits = []
        for watch in watches.values():
            if price <= watch.below or price >= watch.above:
                hits.append(watch)
            elif watch.trail is not None and price > watch.high:
                watch.lift(price)
        return hits

    @property
    def next_due_ms(self) -> int:
        return self._due[0][0] if self._due else _NEVER_MS

    def take_due(self, now_ms: int) -> list[tuple[str, str]]:
        """The subjects whose deadline has passed, oldest first. A turn that fails has to give them back."""
        due: dict[tuple[str, str], None] = {}
        while self._due and self._due[0][0] <= now_ms:
            due_at_ms, machine, subject_id = heapq.heappop(self._due)
            record = self._living(machine, subject_id)
            if record is not None and record.due_at_ms == due_at_ms:
                due[machine, subject_id] = None
        return list(due)

    def _forget_old_deadlines(self) -> None:
        """Every change of a deadline leaves its former one in the heap; those of the living are kept."""
        held = (self.pairs, self.permissions, self.positions, self.orders)
        living = (record for subjects in held for record in subjects.values())
        self._due = [(r.due_at_ms, r.machine, r.subject_id) for r in living if r.due_at_ms is not None]
        heapq.heapify(self._due)
        self._due_limit = 1_000 + 2 * len(self._due)

    def give_back(self, machine: str, subject_id: str, now_ms: int) -> None:
        """Keeps a deadline that was not answered: its turn failed or no guard held."""
        record = self._living(machine, subject_id)
        if record is not None and record.due_at_ms is not None and record.due_at_ms <= now_ms:
            heapq.heappush(self._due, (record.due_at_ms, machine, subject_id))

    def _living(self, machine: str, subject_id: str) -> Record | None:
        held: dict[str, Mapping[str, Record]] = {
            "pair": self.pairs,
            "permission": self.permissions,
            "position": self.positions,
            "order": self.orders,
        }
        return held[machine].get(subject_id)

    def pair(self, symbol: str) -> PairRecord:
        return self.pairs[symbol]

    def permission(self, scope: str) -> PermissionRecord:
        return self.permissions[scope]

    def position(self, position_id: str) -> PositionRecord | None:
        return self.positions.get(position_id) or self.archive.find_position(position_id)

    def order(self, client_order_id: str) -> OrderRecord | None:
        return self.orders.get(client_order_id) or self.archive.find_order(client_order_id)

    def positions_of(self, symbol: str) -> Iterator[PositionRecord]:
        return iter(self.positions_by_symbol.get(symbol, {}).values())


def share_texts(record: Record) -> None:
    """Thousands of positions name the same few strategies and rules: one copy of each is held."""
    if isinstance(record, PositionRecord):
        record.strategy, record.rules = sys.intern(record.strategy), sys.intern(record.rules)
        record.symbol = sys.intern(record.symbol)
