"""What has to hold when everything has come to rest: the books of the engine are the books of the exchange."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from dirigent.proofs.simulation.books import Books, read_books
from dirigent.proofs.simulation.exchange import SimulatedExchange
from dirigent.proofs.simulation.process import Process
from fsm.order import ORDER
from fsm.position import CLOSING, OPEN, ORDERING, POSITION
from fsm.values import MONEY, ZERO, Side, base_of, quote_of
from persistence.verification import verify


def differences(path: Path, exchange: SimulatedExchange, process: Process) -> Iterator[str]:
    """Every difference in words. Nothing must be under way."""
    books = read_books(path)
    yield from _coins(books, exchange)
    yield from _fills(books, exchange)
    yield from _orders(books, exchange)
    yield from _entries(books, exchange)
    yield from _waits(books, process)
    report = verify(path)
    if report.difference is not None:
        yield f"the journal's fold: {report.difference}"


def _coins(books: Books, exchange: SimulatedExchange) -> Iterator[str]:
    for symbol in exchange.terms.symbols:
        held = ZERO
        for position in books.positions.values():
            if position.symbol == symbol:
                held = MONEY.add(held, MONEY.add(position.quantity, position.dust))
        there = exchange.total(base_of(symbol))
        if held != there:
            yield f"{symbol}: positions hold {held}, the exchange {there}"
    quote, money = quote_of(exchange.terms.symbols[0]), exchange.terms.money
    for fill in books.fills:
        cost = MONEY.multiply(fill.amount, fill.price)
        money = MONEY.add(money, cost.copy_negate() if fill.side == Side.BUY else cost)
        if fill.fee_currency == quote:
            money = MONEY.subtract(money, fill.fee)
    if money != exchange.total(quote):
        yield f"{quote}: the fills make {money}, the exchange has {exchange.total(quote)}"


def _fills(books: Books, exchange: SimulatedExchange) -> Iterator[str]:
    booked = Counter((fill.symbol, fill.id) for fill in books.fills)
    trades = exchange.trades()
    for name in trades.keys() - booked.keys():
        yield f"trade {name} of order {trades[name].client_order_id} is not booked"
    for name, times in booked.items():
        if name not in trades or times != 1:
            yield f"trade {name} is booked {times} times, and the exchange has it {int(name in trades)} times"


def _orders(books: Books, exchange: SimulatedExchange) -> Iterator[str]:
    for identity, order in exchange.accepted.items():
        record = books.orders.get(identity)
        if record is None:
            yield f"order {identity} is at the exchange and not in the store"
        elif order.is_open != (record.state not in ORDER.finals):
            yield f"order {identity} is {record.state} in the store and {order.status} at the exchange"
        elif record.filled != order.filled:
            yield f"order {identity}: {record.filled} filled in the store, {order.filled} at the exchange"
    for identity, record in books.orders.items():
        if record.state not in ORDER.finals and identity not in exchange.accepted:
            yield f"order {identity} is {record.state} in the store and never reached the exchange"


def _entries(books: Books, exchange: SimulatedExchange) -> Iterator[str]:
    """A deal buys at most what one of its attempts wanted: the next attempt begins when nothing was bought."""
    for position in books.positions.values():
        if position.id in exchange.lied_about:
            continue
        attempts = [o for o in books.orders.values() if o.position_id == position.id and o.leg == "entry"]
        largest = max((order.amount for order in attempts), default=ZERO)
        filled = sum((order.filled for order in attempts), start=Decimal(0))
        if filled > largest:
            yield f"position {position.id} bought {filled} with entries of at most {largest}"


def _waits(books: Books, process: Process) -> Iterator[str]:
    """Whoever waits has a deadline, or waits on somebody who has, or watches prices."""
    watches = process.engine.state.working.watches
    lives = Counter(p.symbol for p in books.positions.values() if p.state not in POSITION.finals)
    for order in books.orders.values():
        if order.state not in ORDER.finals and order.due_at_ms is None:
            yield f"order {order.client_order_id} is {order.state} and waits for nothing"
    for position in books.positions.values():
        watched = position.id in watches.get(position.symbol, {})
        waits = position.due_at_ms is not None or (position.state == OPEN and watched)
        if position.state in (ORDERING, OPEN, CLOSING) and not waits:
            yield f"position {position.id} is {position.state} and waits for nothing"
    for pair in books.pairs.values():
        if pair.state == "signalled" and pair.due_at_ms is None:
            yield f"pair {pair.symbol} is signalled and waits for nothing"
        if pair.state in ("ordering", "open", "closing") and not lives[pair.symbol]:
            yield f"pair {pair.symbol} is {pair.state} and no position lives"
        if pair.state == "idle" and lives[pair.symbol]:
            yield f"pair {pair.symbol} is idle and {lives[pair.symbol]} positions live"
