"""Whether the engine's books and the exchange's own agree: journal, fills, orders, coins and money."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, localcontext
from pathlib import Path

from fsm.order import ORDER
from fsm.values import MONEY, ZERO, Leg
from persistence import queries
from persistence.verification import verify
from services.deals.order_ids import order_id
from services.exchanges.paper_file import Audit, audit


def differences(database: Path, exchange_file: Path, *, live_orders_allowed: bool = False) -> list[str]:
    """What does not agree, in words; empty when the books are whole. Nothing may be in flight."""
    return differences_with(database, audit(exchange_file), live_orders_allowed=live_orders_allowed)


def differences_with(database: Path, book: Audit, *, live_orders_allowed: bool = False) -> list[str]:
    """As `differences`, with the book of any exchange."""
    report = verify(database)
    found = [] if report.difference is None else [f"journal: {report.difference}"]
    found += [f"exchange: {difference}" for difference in book.differences()]
    found += _fill_differences(database, book)
    found += _order_differences(database, book, live_orders_allowed)
    with localcontext(MONEY):
        found += _coin_differences(database, book)
    found += repeated_intents(database, book)
    return found


def _fill_differences(database: Path, book: Audit) -> Iterator[str]:
    ours = {(fill["symbol"], fill["id"]): fill for fill in queries.fills(database)}
    theirs = {(fill.symbol, fill.id): fill for fill in book.fills}
    for key in sorted(ours.keys() ^ theirs.keys()):
        yield f"trade {key} is {'not in the exchange book' if key in ours else 'not in the store'}"
    for key in sorted(ours.keys() & theirs.keys()):
        mine, other = ours[key], theirs[key]
        for name in ("client_order_id", "side", "amount", "price", "fee", "fee_currency"):
            if mine[name] != getattr(other, name):
                yield f"trade {key}: {name} is {mine[name]}, {getattr(other, name)} at the exchange"


def _order_differences(database: Path, book: Audit, live_orders_allowed: bool) -> Iterator[str]:
    ours = {order["client_order_id"]: order for order in queries.orders(database)}
    for order in book.orders:
        mine = ours.get(order.client_order_id)
        if mine is None:
            yield f"order {order.client_order_id} is at the exchange and not in the store"
        elif mine["filled"] != order.filled:
            yield f"order {order.client_order_id}: {mine['filled']} filled, {order.filled} at the exchange"
        elif order.is_open and mine["state"] in ORDER.finals:
            yield f"order {order.client_order_id} is {mine['state']} and rests at the exchange"
    if live_orders_allowed:
        return
    for order in book.orders:
        if order.is_open:
            yield f"order {order.client_order_id} still rests at the exchange"
    for mine in ours.values():
        if mine["state"] not in ORDER.finals:
            yield f"order {mine['client_order_id']} is still {mine['state']}"


def _coin_differences(database: Path, book: Audit) -> Iterator[str]:
    """Each currency at the exchange is what it began with and what the positions moved."""
    moved: dict[str, Decimal] = {}
    for position in queries.positions(database):
        base, _, quote = str(position["symbol"]).partition("/")
        moved[base] = moved.get(base, ZERO) + position["quantity"] + position["dust"]
        flow = position["received"] - position["spent"] - position["fee_quote"]
        moved[quote] = moved.get(quote, ZERO) + flow
    for fill in queries.fills(database):
        if fill["fee_currency"] not in str(fill["symbol"]).split("/"):
            third = fill["fee_currency"]  # such as BNB: it is on the fill alone
            moved[third] = moved.get(third, ZERO) - fill["fee"]
    for currency in sorted(moved.keys() | book.balances.keys()):
        began = book.deposits.get(currency, ZERO)
        held = book.balances[currency].total if currency in book.balances else ZERO
        expected = began + moved.get(currency, ZERO)
        if held != expected:
            yield f"{currency}: {held} at the exchange, {expected} by the positions"


def repeated_intents(database: Path, book: Audit) -> Iterator[str]:
    """An intent is a position, a leg and an attempt; it may reach the exchange once, and its name says it."""
    for identity, count in Counter(order.client_order_id for order in book.orders).items():
        if count > 1:
            yield f"client order id {identity} is {count} times in the exchange's book"
    stored = queries.orders(database)
    filled_entries: Counter[str] = Counter()
    intents: Counter[tuple[str, str, str]] = Counter()
    for order in stored:
        attempt = str(order["client_order_id"])[-2:]
        leg = Leg.ENTRY if order["side"] == "buy" else Leg.EXIT
        intents[order["position_id"], leg, attempt] += 1
        if order["client_order_id"] != order_id(order["position_id"], leg, int(attempt, 36)):
            yield f"order {order['client_order_id']} does not bear the name of its intent"
        filled_entries[order["position_id"]] += bool(leg is Leg.ENTRY and order["filled"])
    yield from (f"intent {intent} has {count} orders" for intent, count in intents.items() if count > 1)
    for position_id, count in filled_entries.items():
        if count > 1:
            yield f"position {position_id} was bought by {count} entry orders"
    for position in queries.positions(database):
        if position["sold"] + position["fee_base"] > position["bought"]:
            yield f"position {position['id']} sold {position['sold']} of the {position['bought']} it bought"
