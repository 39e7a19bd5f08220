"""The rows of single orders: what the books say of one, what the exchange answered, and what follows from it."""

from fsm import order as order_machine
from fsm.order import CANCELLING, ORDER, ORDER_ABSENT, ORDER_FOUND_ALIVE, PLANNED, SUBMITTING, UNKNOWN
from fsm.records import OrderRecord
from services.deals.order_ids import is_order_id
from services.messages import OrderReport, OrderStatus
from services.reconciliation.plan import Account, Beliefs, Difference, Kind, Settlement

IN_MOTION = frozenset({PLANNED, SUBMITTING, CANCELLING, UNKNOWN})
"""An order in these has a request or a question under way: what its coin's books say is about to change."""

_END_OF = {
    OrderStatus.CANCELED: order_machine.ORDER_CANCELLED,
    OrderStatus.REJECTED: order_machine.ORDER_REJECTED,
}


def row_of_live(order: OrderRecord, account: Account) -> Difference | None:
    """None where both sides agree, and of an order that was not asked for."""
    name = order.client_order_id
    if name not in account.answers:
        if order.state == UNKNOWN and name in account.silent:
            return _order_row(
                Kind.ORDER_UNKNOWN,
                order,
                says="no answer",
                evidence=account.silent[name],
                proposal="it stays unknown and goes on being asked for",
                settlement=Settlement.REPORTED,
            )
        return None
    report = account.answers[name]
    if report is None:
        return _order_row(
            Kind.ORDER_MISSING,
            order,
            says="no such order",
            evidence="neither among the open orders nor found by its client id",
            proposal=_move(order, ORDER_ABSENT),
            settlement=Settlement.CERTAIN,
            event=ORDER_ABSENT,
        )
    if report.filled < order.filled:
        return _unconfirmed(order, report)
    event = _event_of(order, report)
    if event == order_machine.ORDER_ACCEPTED and order.state not in IN_MOTION:
        return None
    kind = Kind.FILL_MISSED if report.filled > order.filled else Kind.ORDER_ENDED
    if report.status is OrderStatus.OPEN and report.filled == order.filled:
        if order.state != UNKNOWN:
            return None
        kind = Kind.ORDER_UNKNOWN
    return _order_row(
        kind,
        order,
        says=_said(report),
        evidence=_evidence(report),
        proposal=_move(order, event),
        settlement=Settlement.CERTAIN,
        report=report,
    )


def row_of_ended(order: OrderRecord, account: Account) -> Difference | None:
    """None unless the exchange lists it as open, or tells other fills than were booked."""
    report = account.answers.get(order.client_order_id)
    if report is None:
        return None
    if report.status is OrderStatus.OPEN and order.client_order_id in account.open_by_id:
        return _order_row(
            Kind.ORDER_ALIVE,
            order,
            says=_said(report),
            evidence="listed among the open orders and found open by its client id",
            proposal=f"{ORDER_FOUND_ALIVE}: stays {order.state}, cancelled at the exchange, the pair stops entering",
            settlement=Settlement.CERTAIN,
            report=report,
            event=ORDER_FOUND_ALIVE,
        )
    if report.filled < order.filled:
        return _unconfirmed(order, report)
    if report.filled == order.filled:
        return None
    return _order_row(
        Kind.FILL_MISSED,
        order,
        says=_said(report),
        evidence=_evidence(report),
        proposal=_move(order, _event_of(order, report)),
        settlement=Settlement.CERTAIN,
        report=report,
    )


def _unconfirmed(order: OrderRecord, report: OrderReport) -> Difference:
    return _order_row(
        Kind.FILL_UNCONFIRMED,
        order,
        says=_said(report),
        evidence=f"{order.filled:f} booked from trades that were reported once",
        proposal="nothing: what filled is never taken back",
        settlement=Settlement.PERSON,
    )


def row_of_strange(report: OrderReport, beliefs: Beliefs) -> Difference:
    """Of an open order that the books do not know."""
    name = report.client_order_id
    is_ours = any(is_order_id(name, tag) for tag in (beliefs.tag, *beliefs.former_tags))
    evidence = (
        "its client id carries this database's tag, and it is not in the database: is this an old copy?"
    )
    return Difference(
        Kind.ORDER_UNBOOKED if is_ours else Kind.ORDER_FOREIGN,
        name or str(report.exchange_order_id),
        (report.symbol,),
        believes="nothing",
        says=f"{_wanted(report)}{_said(report)} in {report.symbol}",
        evidence=evidence if is_ours else "its client id is none of this database's",
        proposal="nothing: it is not in the books",
        settlement=Settlement.PERSON if is_ours else Settlement.REPORTED,
        remedy=f"dirigent reconcile --adopt {name}" if name else "cancel it at the exchange",
        report=report,
    )


def _order_row(
    kind: Kind,
    order: OrderRecord,
    *,
    says: str,
    evidence: str,
    proposal: str,
    settlement: Settlement,
    report: OrderReport | None = None,
    event: str = "",
) -> Difference:
    return Difference(
        kind,
        order.client_order_id,
        (order.symbol,),
        believes=f"{order.state}, {order.filled:f} of {order.amount:f} filled",
        says=says,
        evidence=evidence,
        proposal=proposal,
        settlement=settlement,
        report=report,
        event=event,
        remedy="" if settlement is Settlement.CERTAIN else f"dirigent journal {order.client_order_id}",
    )


def _event_of(order: OrderRecord, report: OrderReport) -> str:
    """The event that the report leads to, as the reader of order news will find."""
    if report.filled >= order.amount:
        return order_machine.ORDER_FILLED
    if report.status is not OrderStatus.OPEN and order.state not in ORDER.finals:
        return _END_OF.get(report.status, order_machine.ORDER_EXPIRED)
    return order_machine.ORDER_PARTIALLY_FILLED if report.filled else order_machine.ORDER_ACCEPTED


def _move(order: OrderRecord, event: str) -> str:
    targets = dict.fromkeys(row.target for row in ORDER.rows_of(order.state, event))
    return f"{event}: {order.state} -> {' or '.join(targets) or order.state}"


def _said(report: OrderReport) -> str:
    return f"{report.status}, {report.filled:f} filled"


def _wanted(report: OrderReport) -> str:
    request = report.request
    if request is None:
        return ""
    at = "" if request.price is None else f" at {request.price:f}"
    return f"{request.side} {request.amount:f}{at}: "


def _evidence(report: OrderReport) -> str:
    trades = ", ".join(fill.id for fill in report.fills)
    return f"found by its client id as {report.exchange_order_id}, trades: {trades or 'none'}"
