"""A deal as the exploration holds it: a position, its orders as stored, and the truth of each at the exchange."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from dirigent.proofs.exploration.venue import WAITING, WINDOWS_MAX, Truth, once_ended
from fsm.order import (
    CANCEL_REFUSED,
    ORDER,
    ORDER_ABSENT,
    ORDER_ACCEPTED,
    ORDER_REJECTED,
    OUTCOME_LOST,
    UNKNOWN,
)
from fsm.position import IDLE, ORDERING, POSITION, SIGNALLED
from fsm.records import OrderRecord, PositionRecord, Record
from fsm.table import DEADLINE_PASSED
from fsm.values import ZERO, Leg
from services.deals.order_ids import order_id, position_id

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
_ENTERING = frozenset({IDLE, SIGNALLED, ORDERING})


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


_LEVELLED: dict[str, PositionRecord | OrderRecord] = {}
_TEXT_OF: dict[int, str] = {}
"""Of each levelled record, by identity, everything that decides; there are a few thousand of them."""


def level(position: PositionRecord, tickets: Iterable[Ticket]) -> Deal:
    """The deal with everything removed that decides nothing, and its orders numbered anew where that is free."""
    levelled = [_levelled_ticket(ticket) for ticket in tickets]
    if len(levelled) > 1:
        levelled.sort(key=lambda t: (not t.is_entry, t.record.attempt))
    entries = [t for t in levelled if t.is_entry]
    exits = levelled[len(entries) :]
    entry_name, attempt = position.entry_order_id, position.entry_attempt
    if position.state not in _ENTERING:
        entries, entry_name = _renumbered(entry_name, Leg.ENTRY, entries)
        attempt = len(entries)
    exits, exit_name = _renumbered(position.exit_order_id, Leg.EXIT, exits)
    names = (entry_name, exit_name, attempt, len(exits))
    if id(position) not in _TEXT_OF or names != _names(position):
        position = _levelled_position(position, names)
    ordered = (*entries, *exits)
    seen = [_TEXT_OF[id(position)]]
    truths = []
    for ticket in ordered:
        truth = ticket.truth
        seen.append(
            f"{_TEXT_OF[id(ticket.record)]}{ticket.booked}{truth.creating == WAITING}{truth.answered_age}"
        )
        truths.append(str(tuple(truth)))
    text = ";".join(seen)
    return Deal(position, ordered, "|".join((text, *truths)), text, _summary_of(position, ordered))


def _summary_of(position: PositionRecord, tickets: Iterable[Ticket]) -> Summary:
    named = (position.entry_order_id, position.exit_order_id)
    unknown = any(t.record.state == UNKNOWN and t.record.client_order_id in named for t in tickets)
    return position.state, unknown


def levelled(record: Record) -> Record:
    """A committed record as every deal that it becomes part of will hold it."""
    if isinstance(record, OrderRecord) and record.position_id == canonical_id():
        return _levelled(record, sent_age(record))
    if isinstance(record, PositionRecord) and record.id == canonical_id():
        return _levelled_position(record, _names(record))
    return record


def _names(position: PositionRecord) -> tuple[str, str, int, int]:
    return position.entry_order_id, position.exit_order_id, position.entry_attempt, position.exit_attempt


def _levelled_position(position: PositionRecord, names: tuple[str, str, int, int]) -> PositionRecord:
    position = position.copy()
    position.entry_order_id, position.exit_order_id, position.entry_attempt, position.exit_attempt = names
    position.version, position.reason, position.realized_pnl = 1, "", ZERO
    position.high_water, position.closed_at_ms, position.created_at_ms = ZERO, None, NOW_MS
    position.opened_at_ms = None if position.opened_at_ms is None else NOW_MS
    position.due_at_ms = None if position.due_at_ms is None else ARMED_MS
    position.exit_reason = "stop_loss" if position.exit_reason else ""
    text = repr(_position_key(position))
    known = _LEVELLED.setdefault(text, position)
    assert isinstance(known, PositionRecord)
    _TEXT_OF[id(known)] = text
    return known


def _levelled_ticket(ticket: Ticket) -> Ticket:
    record, truth = ticket.record, ticket.truth
    over = record.state in ENDED_ORDER and not truth.may_live
    if over:
        truth = once_ended(truth)
    if id(record) not in _TEXT_OF or (over and sent_age(record) != WINDOWS_MAX):
        record = _levelled(record, WINDOWS_MAX if over else sent_age(record))
    if truth.answered_age is not None and truth.answered_age >= sent_age(record):
        truth = truth._replace(answered_age=None)
    return Ticket(record, tuple(sorted(ticket.booked)), truth)


def _levelled(record: OrderRecord, age: int) -> OrderRecord:
    record = record.copy()
    record.version, record.reason, record.exchange_order_id = 1, "", ""
    record.created_at_ms = NOW_MS
    record.due_at_ms = None if record.due_at_ms is None else ARMED_MS
    if record.state in ENDED_ORDER:
        record.cancel_reason = ""
    record.sent_at_ms = NOW_MS - age * WINDOW_MS
    text = repr(_order_key(record))
    known = _LEVELLED.setdefault(text, record)
    assert isinstance(known, OrderRecord)
    _TEXT_OF[id(known)] = text
    return known


def sent_age(record: OrderRecord) -> int:
    """How many windows ago the engine believes that the request left."""
    return min(-(-(NOW_MS - record.sent_at_ms) // WINDOW_MS), WINDOWS_MAX)


def _renumbered(current: str, leg: Leg, tickets: list[Ticket]) -> tuple[list[Ticket], str]:
    """The same orders as attempts 1, 2, ...: an attempt's number decides nothing beyond its difference from others."""
    numbered, name = [], ""
    for attempt, ticket in enumerate(tickets, 1):
        record, identity = ticket.record, _NAMES[leg, attempt]
        if record.client_order_id == current:
            name = identity
        if record.attempt != attempt:
            record = record.copy()
            record.client_order_id, record.attempt = identity, attempt
            ticket = ticket._replace(record=_levelled(record, sent_age(record)))
        numbered.append(ticket)
    return numbered, name


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


def _position_key(position: PositionRecord) -> tuple[object, ...]:
    amounts = (position.bought, position.sold, position.quantity, position.dust)
    money = (position.spent - PRICE * position.bought, position.received - PRICE * position.sold)
    return (
        position.state,
        *map(str, (amount.normalize() for amount in (*amounts, *money))),
        position.entry_attempt,
        position.entry_order_id[len(canonical_id()) :],
        position.exit_order_id[len(canonical_id()) :],
        bool(position.exit_reason),
        position.due_at_ms is not None,
        position.opened_at_ms is not None,
    )


def _order_key(record: OrderRecord) -> tuple[object, ...]:
    return (
        record.client_order_id[len(canonical_id()) :],
        record.state,
        str(record.filled.normalize()),
        str((record.cost - PRICE * record.filled).normalize()),
        int(record.amount),
        record.cancel_reason,
        sent_age(record),
        record.due_at_ms is not None,
    )


_NAMES = {(leg, attempt): order_id(canonical_id(), leg, attempt) for leg in Leg for attempt in range(1, 36)}
