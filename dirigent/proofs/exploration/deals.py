"""A deal as the exploration holds it: a position, its orders as stored, and the truth of each at the exchange."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from dirigent.proofs.exploration.venue import WINDOWS_MAX, Truth
from fsm.order import (
    CANCEL_REFUSED,
    ORDER,
    ORDER_ABSENT,
    ORDER_ACCEPTED,
    ORDER_REJECTED,
    OUTCOME_LOST,
)
from fsm.position import POSITION
from fsm.records import OrderRecord, PositionRecord
from fsm.table import DEADLINE_PASSED
from fsm.values import Leg
from services.deals.order_ids import position_id

TAG = "aaaaa"
NOW_MS = 1_000_000_000
ARMED_MS = NOW_MS + 30_000
LATE_ARRIVAL_MS = 5_000
WINDOW_MS = LATE_ARRIVAL_MS + 1_000
PRICE = Decimal(10)

Summary = tuple[str, bool]
"""All that another deal's turn can see of a deal: its position's state, and whether an order of it is unknown."""
Others = tuple[Summary, ...]
"""In alphabetical order."""

ENDED_ORDER, ENDED_POSITION = ORDER.finals, POSITION.finals

LOOKED_UP = frozenset(
    row.source for row in ORDER.rows if row.event == DEADLINE_PASSED and "look_up_order" in row.effects
)
"""The states in which an order's deadline, which may pass at any time, has the engine ask for it."""

_ANSWERS = (ORDER_ACCEPTED, ORDER_REJECTED, CANCEL_REFUSED, OUTCOME_LOST, ORDER_ABSENT)
for _state in ENDED_ORDER:
    for _answer in _ANSWERS:
        assert ORDER.why_ignored(_state, _answer), f"{_state} + {_answer}: `once_ended` no longer holds"


class Ticket(NamedTuple):
    """One order: the record as stored, the numbers of its trades that are booked, and the truth."""

    record: OrderRecord
    booked: tuple[int, ...]
    truth: Truth

    @property
    def amount(self) -> int:
        return int(self.record.amount)

    @property
    def is_entry(self) -> bool:
        return self.record.leg == Leg.ENTRY


@dataclass(frozen=True, slots=True, eq=False)
class Deal:
    """Times, versions and reasons are levelled, so that deals which behave alike are one; `key` names it."""

    position: PositionRecord
    tickets: tuple[Ticket, ...]
    key: str
    seen: str
    """All of it that a turn of the engine can see: the records, and what the process knows of its own calls."""
    summary: Summary

    @property
    def words(self) -> str:
        """The deal for people."""
        orders = (f"{t.record.client_order_id[-3:]} {t.record.state} ({t.truth.phase})" for t in self.tickets)
        return f"position {self.position.state}: {', '.join(orders) or 'no order'}"


@cache
def canonical_id(number: int = 1) -> str:
    return position_id(TAG, number)


def sent_age(record: OrderRecord) -> int:
    """How many windows ago the engine believes that the request left."""
    return min(-(-(NOW_MS - record.sent_at_ms) // WINDOW_MS), WINDOWS_MAX)


def renamed(deal: Deal, number: int) -> tuple[PositionRecord, tuple[Ticket, ...]]:
    """The deal's records under the names of the position with that number."""
    return under(deal.position, deal.tickets, canonical_id(number))


def under(
    position: PositionRecord, tickets: Iterable[Ticket], new: str
) -> tuple[PositionRecord, tuple[Ticket, ...]]:
    """Copies in which the position and its orders are named after `new`."""
    if position.id == new:
        return position, tuple(tickets)
    old, position = position.id, position.copy()
    position.id = new
    position.entry_order_id = position.entry_order_id.replace(old, new)
    position.exit_order_id = position.exit_order_id.replace(old, new)
    named = []
    for ticket in tickets:
        record = ticket.record.copy()
        record.position_id, record.client_order_id = new, record.client_order_id.replace(old, new)
        named.append(ticket._replace(record=record))
    return position, tuple(named)
