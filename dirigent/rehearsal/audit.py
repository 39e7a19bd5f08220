"""The reckoning: what was ordered and filled, whether the money adds up, and whether any intent was bought twice."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dirigent.rehearsal.desk import Desk
from dirigent.rehearsal.placed_order import PlacedOrder
from dirigent.rehearsal.venue import Venue
from fsm.values import ZERO
from services.exchanges.exact import add, multiply, subtract

Json = dict[str, Any]


def audit(venue: Venue, requests: Mapping[str, int]) -> Json:
    """JSON-ready but for Decimals and moments, which are as the engine keeps them."""
    desk = venue.desk
    return {
        "started_at": venue.started_at_ms,
        "at": venue.clock.now_ms(),
        "seed": venue.settings.seed,
        "requests": dict(sorted(requests.items())),
        "faults": dict(sorted(venue.faults.counts.items())),
        "orders": {
            "accepted": len(desk.orders),
            "by_status": dict(sorted(Counter(order.status for order in desk.orders.values()).items())),
            "open": len(desk.open_orders()),
            "refused": dict(sorted(venue.refusals.items())),
        },
        "fills": sum(len(order.fills) for order in desk.orders.values()),
        "traded": _traded(desk),
        "fees": _fees(desk),
        "balances": _balances(desk),
        "duplicates": duplicates(desk),
        "faults_in_the_books": faults_in_the_books(desk),
    }


def duplicates(desk: Desk) -> list[Json]:
    """Client order ids under which more than one order was accepted: one intent, carried out again."""
    return [
        {
            "client_order_id": client_order_id,
            "orders": [order.number for order in orders],
            "filled": [order.book.filled for order in orders],
        }
        for client_order_id, orders in desk.by_client_id.items()
        if len(orders) > 1
    ]


def faults_in_the_books(desk: Desk) -> list[str]:
    """Everything that does not add up, in words; empty when the books are right."""
    faults: list[str] = []
    expected = _expected(desk)
    locked: dict[str, Decimal] = {}
    for order in desk.orders.values():
        if order.filled_after(len(order.fills)) != order.book.filled or order.book.filled > order.new.amount:
            faults.append(f"order {order.number}: its fills are not what it says has filled")
        if order.book.is_open:
            currency = order.book.lock_currency
            locked[currency] = add(locked.get(currency, ZERO), order.book.locked)
    for currency in sorted(set(expected) | set(desk.ledger.balances())):
        balance = desk.ledger.balance(currency)
        if balance.total != expected.get(currency, ZERO):
            faults.append(f"{currency}: {balance.total} is there, {expected.get(currency, ZERO)} should be")
        if balance.used != locked.get(currency, ZERO):
            faults.append(
                f"{currency}: {balance.used} is locked, open orders need {locked.get(currency, ZERO)}"
            )
    return faults


def order_list(desk: Desk) -> list[Json]:
    """Every order with its fills, for a comparison with somebody else's books."""
    return [_listed(order) for order in desk.orders.values()]


def _listed(order: PlacedOrder) -> Json:
    new = order.new
    return {
        "order_id": order.number,
        "client_order_id": new.client_order_id,
        "symbol": new.symbol,
        "side": new.side,
        "type": new.kind.lower(),
        "amount": new.amount,
        "price": new.price,
        "status": order.status,
        "filled": order.book.filled,
        "cost": order.quote_filled,
        "placed_at": order.placed_at_ms,
        "fills": [
            {
                "id": fill.id,
                "amount": fill.amount,
                "price": fill.price,
                "fee": fill.fee,
                "fee_currency": fill.fee_currency,
                "at": fill.at_ms,
            }
            for fill in order.fills
        ],
    }


def _expected(desk: Desk) -> dict[str, Decimal]:
    """What the account must hold: what it began with, and every fill since."""
    held = dict(desk.start)

    def book(currency: str, amount: Decimal) -> None:
        held[currency] = add(held.get(currency, ZERO), amount)

    for order in desk.orders.values():
        for fill in order.fills:
            cost = multiply(fill.amount, fill.price)
            sign = Decimal(1) if order.book.is_buy else Decimal(-1)
            book(order.book.base, multiply(sign, fill.amount))
            book(order.book.quote, multiply(sign, -cost))
            book(fill.fee_currency, -fill.fee)
    return held


def _balances(desk: Desk) -> Json:
    return {
        currency: {
            "start": desk.start.get(currency, ZERO),
            "free": balance.free,
            "used": balance.used,
            "total": balance.total,
            "change": subtract(balance.total, desk.start.get(currency, ZERO)),
        }
        for currency, balance in sorted(desk.ledger.balances().items())
    }


def _traded(desk: Desk) -> Json:
    traded: dict[str, dict[str, Decimal]] = {}
    for order in desk.orders.values():
        row = traded.setdefault(order.new.symbol, {"bought": ZERO, "sold": ZERO})
        side = "bought" if order.book.is_buy else "sold"
        row[side] = add(row[side], order.book.filled)
    return dict(sorted(traded.items()))


def _fees(desk: Desk) -> Json:
    fees: dict[str, Decimal] = {}
    for order in desk.orders.values():
        for fill in order.fills:
            fees[fill.fee_currency] = add(fees.get(fill.fee_currency, ZERO), fill.fee)
    return dict(sorted(fees.items()))
