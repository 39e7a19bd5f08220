"""What has to be true of every deal, of every change of one, and at its end: each a function that names the breach."""

from collections.abc import Iterable
from decimal import Decimal

from dirigent.proofs.exploration.bench import Outcome
from dirigent.proofs.exploration.deals import ENDED_ORDER, ENDED_POSITION, PRICE, Deal, Ticket
from fsm.order import ORDER, ORDER_FILLED, ORDER_PARTIALLY_FILLED
from fsm.position import ENTRY_FILLED_FURTHER, EXIT_FILLED_FURTHER, OPEN, ORDERING, POSITION
from fsm.values import Leg

_FILLS = frozenset({ORDER_PARTIALLY_FILLED, ORDER_FILLED, ENTRY_FILLED_FURTHER, EXIT_FILLED_FURTHER})
_TABLES = {"order": ORDER, "position": POSITION}


def breach_of_state(deal: Deal) -> str:
    """The first claim that the deal breaks as it stands; empty when it keeps all."""
    for leg in Leg:
        alive = [t for t in deal.tickets if t.record.leg == leg and t.truth.may_live]
        if len(alive) > 1:
            return f"two {leg} orders of one position live, or may yet, at the exchange"
    for ticket in deal.tickets:
        breach = _breach_of_order(ticket)
        if breach:
            return f"order {ticket.record.client_order_id}: {breach}"
    return _breach_of_position(deal)


def _breach_of_order(ticket: Ticket) -> str:
    record, truth = ticket.record, ticket.truth
    ended = record.state in ENDED_ORDER
    if ended and truth.may_live:
        return f"it is believed {record.state} while it lives, or may yet, at the exchange"
    if not ended and record.due_at_ms is None:
        return f"it waits in {record.state} without a deadline"
    if record.filled != len(ticket.booked):
        return f"{record.filled} filled from {len(ticket.booked)} trades of one unit"
    if any(number > truth.filled for number in ticket.booked):
        return f"trades {ticket.booked} are booked and {truth.filled} happened"
    if record.cost != PRICE * record.filled:
        return f"{record.filled} filled for {record.cost}"
    return ""


def _breach_of_position(deal: Deal) -> str:
    position = deal.position
    if position.state not in ENDED_POSITION and position.due_at_ms is None:
        return f"the position waits in {position.state} without a deadline"
    if position.quantity + position.dust != position.bought - position.sold:
        return f"{position.bought} bought, {position.sold} sold, {position.quantity} held"
    if position.spent != PRICE * position.bought or position.received != PRICE * position.sold:
        return (
            f"{position.spent} spent on {position.bought}, {position.received} received for {position.sold}"
        )
    if position.state in ENDED_POSITION and position.quantity:
        return f"{position.quantity} held by a position that is {position.state}"
    if position.sold > position.bought:
        return f"{position.sold} sold of {position.bought} bought"
    if position.state in (OPEN, ORDERING) and not _is_carried(deal):
        return f"the position is {position.state} and no order of it lives"
    return ""


def _is_carried(deal: Deal) -> bool:
    """An open position carries itself; an entering one has an entry order that has not ended."""
    if deal.position.state == OPEN:
        return True
    return any(t.is_entry and t.record.state not in ENDED_ORDER for t in deal.tickets)


def breach_of_change(before: Iterable[Ticket], after: Iterable[Ticket], outcome: Outcome) -> str:
    """The first claim about a change that the committed records and journal break."""
    if outcome.fault:
        return outcome.fault
    filled: dict[str, Decimal] = {t.record.client_order_id: t.record.filled for t in before}
    for ticket in after:
        if ticket.record.filled < filled.get(ticket.record.client_order_id, Decimal(0)):
            return f"order {ticket.record.client_order_id}: what filled became less"
    for move in outcome.journal:
        table = _TABLES.get(move.machine)
        if table is None or move.outcome != "moved" or move.source == move.target:
            continue
        if move.source in table.finals and move.event not in _FILLS:
            return f"{move.machine} {move.subject_id} left {move.source} by {move.event}, which is no fill"
    return ""


def breach_at_end(deal: Deal) -> str:
    """Of a deal that has ended and of which nothing is under way any more."""
    position = deal.position
    if position.dust != position.bought - position.sold:
        return f"it ended with {position.bought - position.sold} held and {position.dust} booked as left"
    return ""
