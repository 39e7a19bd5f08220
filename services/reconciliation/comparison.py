"""What the engine believes against what the exchange says: a plan of rows, from two snapshots, without I/O."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from fsm import order as order_machine
from fsm.order import CANCELLING, ORDER, ORDER_ABSENT, ORDER_FOUND_ALIVE, PLANNED, SUBMITTING, UNKNOWN
from fsm.records import OrderRecord
from fsm.values import MONEY, ZERO, base_of, quote_of
from services.deals.order_ids import is_order_id
from services.messages import Balance, OrderReport, OrderStatus
from services.reconciliation.plan import Account, Beliefs, Difference, Kind, Plan, Settlement

IN_MOTION = frozenset({PLANNED, SUBMITTING, CANCELLING, UNKNOWN})
"""An order in these has a request or a question under way: what its coin's books say is about to change."""
BASELINES = "quote_baselines"
"""The fact that keeps, by quote currency, what the account held beyond what the positions earned."""

_END_OF = {
    OrderStatus.CANCELED: order_machine.ORDER_CANCELLED,
    OrderStatus.REJECTED: order_machine.ORDER_REJECTED,
}


def questions(beliefs: Beliefs, account: Account) -> list[tuple[str, str]]:
    """The single orders to ask for (client order id, symbol) before anything can be said of them.

    Live orders that are not listed as the engine knows them, or whose books differ; ended ones that are listed. When
    those explain nothing, the ended ones of each coin whose books differ, since a fill that nobody heard of would.
    """
    listed = account.open_by_id
    strange = {base for base in _bases(beliefs) if _surplus(beliefs, account, base)}
    quotes = {quote for quote in _quotes(beliefs) if _quote_surplus(beliefs, account, quote)}
    asked = {
        order.client_order_id: order.symbol
        for order in beliefs.live.values()
        if order.state not in (PLANNED, SUBMITTING)
        and (base_of(order.symbol) in strange or not _is_listed_as_known(order, listed))
    }
    asked |= {
        known.client_order_id: known.symbol
        for known in beliefs.ended.values()
        if known.client_order_id in listed
    }
    first = _not_asked(asked, account)
    if first:
        return first
    moving = _moving(beliefs, account, _own_rows(beliefs, account))
    # What moves is not compared, so it needs no explanation.
    strange -= {base_of(symbol) for symbol in moving}
    quotes -= {quote_of(symbol) for symbol in moving}
    ended = {
        order.client_order_id: order.symbol
        for order in beliefs.ended.values()
        if base_of(order.symbol) in strange or quote_of(order.symbol) in quotes
    }
    return _not_asked(ended, account)


def _not_asked(orders: Mapping[str, str], account: Account) -> list[tuple[str, str]]:
    return [
        pair for pair in orders.items() if pair[0] not in account.answers and pair[0] not in account.silent
    ]


def _is_listed_as_known(order: OrderRecord, listed: Mapping[str, OrderReport]) -> bool:
    report = listed.get(order.client_order_id)
    return report is not None and report.filled == order.filled and order.state not in IN_MOTION


def compare(beliefs: Beliefs, account: Account) -> Plan:
    """Every difference between the two, with its evidence; nothing is said of what is in motion."""
    rows = _own_rows(beliefs, account)
    rows += [
        _strange_order(report, beliefs)
        for name, report in account.open_by_id.items()
        if name not in beliefs.live and name not in beliefs.ended
    ]
    moving = _moving(beliefs, account, rows)
    untold = [f"order {name}: {fault}" for name, fault in account.silent.items()]
    still: dict[str, Decimal] = {}
    for base in _bases(beliefs):
        busy = sorted(symbol for symbol in moving if base_of(symbol) == base)
        if busy:
            untold.append(f"holding of {base}: {', '.join(busy)} in motion")
        elif (row := _holding_row(base, beliefs, account)) is not None:
            rows.append(row)
    for quote in _quotes(beliefs):
        if any(quote_of(symbol) == quote for symbol in moving):
            untold.append(f"balance of {quote}: its markets are in motion")
            continue
        still[quote] = MONEY.subtract(_total(account, quote), _earned(beliefs, quote))
        if (row := _quote_row(quote, beliefs, account)) is not None:
            rows.append(row)
    rows += _other_coins(beliefs, account)
    return Plan(tuple(rows), tuple(untold), still, account.asked_at_ms)


def _own_rows(beliefs: Beliefs, account: Account) -> list[Difference]:
    """Those of the orders that the books know."""
    rows = [row for order in beliefs.live.values() if (row := _live_row(order, account)) is not None]
    rows += [row for order in beliefs.ended.values() if (row := _ended_row(order, account)) is not None]
    return rows


def _moving(beliefs: Beliefs, account: Account, rows: Iterable[Difference]) -> set[str]:
    """The symbols of which more is about to become known than what was asked."""
    moving = {*beliefs.moving, *(order.symbol for order in beliefs.live.values() if order.state in IN_MOTION)}
    certain = (row for row in rows if row.settlement is Settlement.CERTAIN)
    moving |= {symbol for row in certain for symbol in row.symbols}
    moving |= {
        order.symbol
        for order in (*beliefs.live.values(), *beliefs.ended.values())
        if order.client_order_id in account.silent
    }
    return moving


def _live_row(order: OrderRecord, account: Account) -> Difference | None:
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


def _ended_row(order: OrderRecord, account: Account) -> Difference | None:
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


def _strange_order(report: OrderReport, beliefs: Beliefs) -> Difference:
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


def _bases(beliefs: Beliefs) -> list[str]:
    symbols = (*beliefs.symbols, *beliefs.totals.holdings)
    return list(dict.fromkeys(base_of(symbol) for symbol in symbols))


def _quotes(beliefs: Beliefs) -> list[str]:
    return list(dict.fromkeys(quote_of(symbol) for symbol in beliefs.symbols))


def _total(account: Account, currency: str) -> Decimal:
    return account.balances.get(currency, Balance()).total


def held_of(beliefs: Beliefs, base: str) -> Decimal:
    """What all positions hold of a coin, the dust they left included."""
    total = ZERO
    for symbol, held in beliefs.totals.holdings.items():
        if base_of(symbol) == base:
            total = MONEY.add(total, held)
    return total


def _surplus(beliefs: Beliefs, account: Account, base: str) -> Decimal:
    return _told_apart(base, MONEY.subtract(_total(account, base), held_of(beliefs, base)), beliefs)


def _told_apart(currency: str, surplus: Decimal, beliefs: Beliefs) -> Decimal:
    """Zero when the surplus is within what the currency may differ by, as by an exchange's rounding of fees."""
    return ZERO if abs(surplus) <= beliefs.tolerances.get(currency, ZERO) else surplus


def _earned(beliefs: Beliefs, quote: str) -> Decimal:
    total = ZERO
    for symbol, money in beliefs.totals.money.items():
        if quote_of(symbol) == quote:
            total = MONEY.add(total, money)
    return total


def _quote_surplus(beliefs: Beliefs, account: Account, quote: str) -> Decimal:
    baseline = beliefs.baselines.get(quote)
    if baseline is None:
        return ZERO
    surplus = MONEY.subtract(MONEY.subtract(_total(account, quote), _earned(beliefs, quote)), baseline)
    return _told_apart(quote, surplus, beliefs)


def _holding_row(base: str, beliefs: Beliefs, account: Account) -> Difference | None:
    surplus = _surplus(beliefs, account, base)
    if not surplus:
        return None
    missing = surplus < ZERO
    owners = [p for p in beliefs.positions if base_of(p.symbol) == base and p.quantity > ZERO]
    names = ", ".join(owner.id for owner in owners)
    evidence = f"held by {names}" if names else "left as dust by positions that ended"
    symbols = [*beliefs.symbols, *beliefs.totals.holdings]
    return Difference(
        Kind.HOLDING_MISSING if missing else Kind.HOLDING_FOREIGN,
        base,
        tuple(dict.fromkeys(symbol for symbol in symbols if base_of(symbol) == base)),
        believes=f"{held_of(beliefs, base):f} {base}",
        says=f"{_total(account, base):f} {base}",
        evidence=evidence
        if missing
        else "no order of ours bought it: those that ended last have no further trades",
        proposal=f"nothing: {abs(surplus):f} {base} {'are gone' if missing else 'are not ours'}",
        settlement=Settlement.PERSON if missing else Settlement.REPORTED,
        remedy=f"dirigent reconcile --detach {owners[0].id if owners else 'POSITION'}"
        if missing
        else f"dirigent reconcile --adopt {base}",
        surplus=surplus,
    )


def _quote_row(quote: str, beliefs: Beliefs, account: Account) -> Difference | None:
    surplus = _quote_surplus(beliefs, account, quote)
    if not surplus:
        return None
    expected = MONEY.subtract(_total(account, quote), surplus)
    return Difference(
        Kind.QUOTE_DIFFERS,
        quote,
        (),
        believes=f"{expected:f} {quote}",
        says=f"{_total(account, quote):f} {quote}",
        evidence="no trade of ours explains it: a deposit, a withdrawal, or a fee in another coin",
        proposal="nothing in the books; entries are measured against the exchange's balance",
        settlement=Settlement.REPORTED,
        remedy=f"dirigent reconcile --adopt {quote}",
        surplus=surplus,
    )


def _other_coins(beliefs: Beliefs, account: Account) -> list[Difference]:
    ours = {*_bases(beliefs), *_quotes(beliefs)}
    return [
        Difference(
            Kind.HOLDING_FOREIGN,
            currency,
            (),
            believes="nothing",
            says=f"{balance.total:f} {currency}",
            evidence="no pair of this engine trades it",
            proposal="nothing: it is not ours",
            settlement=Settlement.REPORTED,
        )
        for currency, balance in account.balances.items()
        if currency not in ours and balance.total
    ]
