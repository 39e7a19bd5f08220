"""What decides nothing is removed from a deal, so that deals which behave alike are one."""

from collections.abc import Iterable

from dirigent.proofs.exploration.deals import (
    ARMED_MS,
    ENDED_ORDER,
    NOW_MS,
    PRICE,
    WINDOW_MS,
    Deal,
    Summary,
    Ticket,
    canonical_id,
    sent_age,
)
from dirigent.proofs.exploration.venue import WAITING, WINDOWS_MAX, once_ended
from fsm.order import UNKNOWN
from fsm.position import IDLE, ORDERING, SIGNALLED
from fsm.records import OrderRecord, PositionRecord, Record
from fsm.values import ZERO, Leg
from services.deals.order_ids import order_id

_ENTERING = frozenset({IDLE, SIGNALLED, ORDERING})
_NAMES = {(leg, attempt): order_id(canonical_id(), leg, attempt) for leg in Leg for attempt in range(1, 36)}


class Levels:
    """The levelled records of one exploration: two that agree in all that decides are one object."""

    def __init__(self) -> None:
        self._known: dict[str, PositionRecord | OrderRecord] = {}
        self._text_of: dict[int, str] = {}
        """Of each of them, by identity, everything that decides; there are a few thousand of them."""

    def level(self, position: PositionRecord, tickets: Iterable[Ticket]) -> Deal:
        """The deal with everything removed that decides nothing, and its orders numbered anew where that is free."""
        levelled = [self._levelled_ticket(ticket) for ticket in tickets]
        if len(levelled) > 1:
            levelled.sort(key=lambda t: (not t.is_entry, t.record.attempt))
        entries = [t for t in levelled if t.is_entry]
        exits = levelled[len(entries) :]
        entry_name, attempt = position.entry_order_id, position.entry_attempt
        if position.state not in _ENTERING:
            entries, entry_name = self._renumbered(entry_name, Leg.ENTRY, entries)
            attempt = len(entries)
        exits, exit_name = self._renumbered(position.exit_order_id, Leg.EXIT, exits)
        names = (entry_name, exit_name, attempt, len(exits))
        if id(position) not in self._text_of or names != _names(position):
            position = self._levelled_position(position, names)
        ordered = (*entries, *exits)
        seen = [self._text_of[id(position)]]
        truths = []
        for ticket in ordered:
            truth = ticket.truth
            seen.append(
                f"{self._text_of[id(ticket.record)]}{ticket.booked}{truth.creating == WAITING}{truth.answered_age}"
            )
            truths.append(str(tuple(truth)))
        text = ";".join(seen)
        return Deal(position, ordered, "|".join((text, *truths)), text, _summary_of(position, ordered))

    def levelled(self, record: Record) -> Record:
        """A committed record as every deal that it becomes part of will hold it."""
        if isinstance(record, OrderRecord) and record.position_id == canonical_id():
            return self._levelled(record, sent_age(record))
        if isinstance(record, PositionRecord) and record.id == canonical_id():
            return self._levelled_position(record, _names(record))
        return record

    def _levelled_position(
        self, position: PositionRecord, names: tuple[str, str, int, int]
    ) -> PositionRecord:
        position = position.copy()
        position.entry_order_id, position.exit_order_id, position.entry_attempt, position.exit_attempt = names
        position.version, position.reason, position.realized_pnl = 1, "", ZERO
        position.high_water, position.closed_at_ms, position.created_at_ms = ZERO, None, NOW_MS
        position.opened_at_ms = None if position.opened_at_ms is None else NOW_MS
        position.due_at_ms = None if position.due_at_ms is None else ARMED_MS
        position.exit_reason = "stop_loss" if position.exit_reason else ""
        text = repr(_position_key(position))
        known = self._known.setdefault(text, position)
        assert isinstance(known, PositionRecord)
        self._text_of[id(known)] = text
        return known

    def _levelled_ticket(self, ticket: Ticket) -> Ticket:
        record, truth = ticket.record, ticket.truth
        over = record.state in ENDED_ORDER and not truth.may_live
        if over:
            truth = once_ended(truth)
        if id(record) not in self._text_of or (over and sent_age(record) != WINDOWS_MAX):
            record = self._levelled(record, WINDOWS_MAX if over else sent_age(record))
        if truth.answered_age is not None and truth.answered_age >= sent_age(record):
            truth = truth._replace(answered_age=None)
        return Ticket(record, tuple(sorted(ticket.booked)), truth)

    def _levelled(self, record: OrderRecord, age: int) -> OrderRecord:
        record = record.copy()
        record.version, record.reason, record.exchange_order_id = 1, "", ""
        record.created_at_ms = NOW_MS
        record.due_at_ms = None if record.due_at_ms is None else ARMED_MS
        if record.state in ENDED_ORDER:
            record.cancel_reason = ""
        record.sent_at_ms = NOW_MS - age * WINDOW_MS
        text = repr(_order_key(record))
        known = self._known.setdefault(text, record)
        assert isinstance(known, OrderRecord)
        self._text_of[id(known)] = text
        return known

    def _renumbered(self, current: str, leg: Leg, tickets: list[Ticket]) -> tuple[list[Ticket], str]:
        """The same orders as attempts 1, 2, ...: a number decides nothing beyond its difference from others."""
        numbered, name = [], ""
        for attempt, ticket in enumerate(tickets, 1):
            record, identity = ticket.record, _NAMES[leg, attempt]
            if record.client_order_id == current:
                name = identity
            if record.attempt != attempt:
                record = record.copy()
                record.client_order_id, record.attempt = identity, attempt
                ticket = ticket._replace(record=self._levelled(record, sent_age(record)))
            numbered.append(ticket)
        return numbered, name


def _summary_of(position: PositionRecord, tickets: Iterable[Ticket]) -> Summary:
    named = (position.entry_order_id, position.exit_order_id)
    unknown = any(t.record.state == UNKNOWN and t.record.client_order_id in named for t in tickets)
    return position.state, unknown


def _names(position: PositionRecord) -> tuple[str, str, int, int]:
    return position.entry_order_id, position.exit_order_id, position.entry_attempt, position.exit_attempt


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
        record.attempt,
        record.state,
        str(record.filled.normalize()),
        str((record.cost - PRICE * record.filled).normalize()),
        int(record.amount),
        record.cancel_reason,
        sent_age(record),
        record.due_at_ms is not None,
    )
