"""What the engine believes against what the exchange says: a plan of rows, from two snapshots, without I/O."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from fsm.order import PLANNED, SUBMITTING
from fsm.records import OrderRecord
from fsm.values import MONEY, base_of, quote_of
from services.messages import OrderReport
from services.reconciliation.currency_differences import coins_beside, holding_row, quote_row
from services.reconciliation.currency_sums import (
    base_coins,
    coin_surplus,
    earned_in,
    quote_currencies,
    quote_surplus,
    total_of,
)
from services.reconciliation.order_differences import IN_MOTION, row_of_ended, row_of_live, row_of_strange
from services.reconciliation.plan import Account, Beliefs, Difference, Plan, Settlement


def questions(beliefs: Beliefs, account: Account) -> list[tuple[str, str]]:
    """The single orders to ask for (client order id, symbol) before anything can be said of them.

    Live orders that are not listed as the engine knows them, or whose books differ; ended ones that are listed. When
    those explain nothing, the ended ones of each coin whose books differ, since a fill that nobody heard of would.
    """
    listed = account.open_by_id
    strange = {base for base in base_coins(beliefs) if coin_surplus(beliefs, account, base)}
    quotes = {quote for quote in quote_currencies(beliefs) if quote_surplus(beliefs, account, quote)}
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
        row_of_strange(report, beliefs)
        for name, report in account.open_by_id.items()
        if name not in beliefs.live and name not in beliefs.ended
    ]
    moving = _moving(beliefs, account, rows)
    untold = [f"order {name}: {fault}" for name, fault in account.silent.items()]
    still: dict[str, Decimal] = {}
    for base in base_coins(beliefs):
        busy = sorted(symbol for symbol in moving if base_of(symbol) == base)
        if busy:
            untold.append(f"holding of {base}: {', '.join(busy)} in motion")
        elif (row := holding_row(base, beliefs, account)) is not None:
            rows.append(row)
    for quote in quote_currencies(beliefs):
        if any(quote_of(symbol) == quote for symbol in moving):
            untold.append(f"balance of {quote}: its markets are in motion")
            continue
        still[quote] = MONEY.subtract(total_of(account, quote), earned_in(beliefs, quote))
        if (row := quote_row(quote, beliefs, account)) is not None:
            rows.append(row)
    beside = coins_beside(beliefs, account)
    return Plan(tuple(rows), tuple(untold), still, account.asked_at_ms, beside)


def _own_rows(beliefs: Beliefs, account: Account) -> list[Difference]:
    """Those of the orders that the books know."""
    rows = [row for order in beliefs.live.values() if (row := row_of_live(order, account)) is not None]
    rows += [row for order in beliefs.ended.values() if (row := row_of_ended(order, account)) is not None]
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
