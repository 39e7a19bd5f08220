"""The matching conserves money over any history, and fills at the prices that it documents."""

from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.values import ZERO
from services.exchanges.book_order import BookOrder
from services.exchanges.exact import multiply
from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers, Terms
from services.exchanges.price_point import PricePoint, bid_and_ask
from services.messages import Balance, CancelRefused, MarketRules, OrderRefused, OrderStatus
from tests.exchanges.venues import RULES, SYMBOL, order, still

OTHER = "ADA/BTC"
OTHER_RULES = MarketRules(OTHER, Decimal("0.001"), Decimal("0.00000001"))
START = {"USDT": Decimal(500), "ADA": Decimal(40), "BTC": Decimal("0.02")}


def matching(terms: Terms | None = None, **balances: str) -> Matching:
    money = {currency: Balance(Decimal(amount)) for currency, amount in balances.items()} or {
        currency: Balance(amount) for currency, amount in START.items()
    }
    rules = {SYMBOL: RULES, OTHER: OTHER_RULES}
    return Matching(rules, Ledger(money), terms or Terms(fee=ZERO), Numbers(random_state=7))


@dataclass
class History:
    """A book, and every order it ever accepted."""

    book: Matching
    orders: list[BookOrder]

    def expected_totals(self) -> dict[str, Decimal]:
        totals = dict(START)
        for accepted in self.orders:
            for fill in accepted.fills:
                sign = 1 if accepted.is_buy else -1
                totals["ADA"] += sign * fill.amount
                totals[accepted.quote] -= sign * multiply(fill.amount, fill.price)
                totals[fill.fee_currency] -= fill.fee
        return totals

    def check(self) -> None:
        balances = self.book.ledger.balances()
        assert {currency: held.total for currency, held in balances.items()} == self.expected_totals()
        locked = dict.fromkeys(balances, ZERO)
        for waiting in self.book.open_orders():
            assert waiting.remaining > 0
            locked[waiting.lock_currency] += waiting.locked
        assert {currency: held.used for currency, held in balances.items()} == locked
        assert all(held.free >= 0 and held.used >= 0 for held in balances.values())
        for accepted in self.orders:
            assert accepted.filled == sum((fill.amount for fill in accepted.fills), ZERO)
            assert accepted.filled <= accepted.amount
            assert accepted.is_open == (accepted in self.book.open_orders())


cents = st.integers(500, 2000).map(lambda steps: Decimal(steps) * Decimal("0.01"))
satoshis = st.integers(3000, 30000).map(lambda steps: Decimal(steps) * Decimal("0.00000001"))
amounts = st.integers(2, 400).map(lambda steps: Decimal(steps) * Decimal("0.1"))
volumes = st.none() | st.integers(0, 300).map(lambda steps: Decimal(steps) * Decimal("0.1"))
spreads = st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("0.02")])
markets = st.sampled_from([(SYMBOL, cents), (OTHER, satoshis)])


@st.composite
def moves(draw: st.DrawFn) -> PricePoint:
    symbol, prices = draw(markets)
    last = draw(prices)
    bid, ask = bid_and_ask(last, draw(spreads), RULES.price_step if symbol == SYMBOL else Decimal("1E-8"))
    return PricePoint(symbol, last, bid, ask, draw(volumes), draw(st.booleans()))


@st.composite
def sendings(draw: st.DrawFn) -> tuple[str, str, str, str | None, bool]:
    symbol, prices = draw(markets)
    limit = draw(st.none() | prices)
    side = draw(st.sampled_from(["buy", "sell"]))
    return symbol, side, str(draw(amounts)), None if limit is None else str(limit), draw(st.booleans())


terms_of = st.builds(
    Terms,
    fee=st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("0.00075"), Decimal("0.25")]),
    fee_in=st.sampled_from(["quote", "base"]),
    slippage=st.sampled_from([Decimal(0), Decimal("0.0005"), Decimal("0.03")]),
    partial_fill_probability=st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=150, deadline=None)
@given(terms=terms_of, acts=st.lists(moves() | sendings() | st.integers(0, 30), min_size=15, max_size=40))
def test_no_history_makes_or_loses_money(
    terms: Terms, acts: list[PricePoint | tuple[str, str, str, str | None, bool] | int]
) -> None:
    history = History(matching(terms), [])
    history.book.move(still("10"), 0)
    history.book.move(replace(still("0.0002"), symbol=OTHER), 0)
    for at_ms, act in enumerate(acts):
        try:
            if isinstance(act, PricePoint):
                history.book.move(act, at_ms)
            elif isinstance(act, int):
                sent = history.orders[act % len(history.orders)] if history.orders else None
                history.book.cancel(sent.client_order_id if sent else "none", SYMBOL, at_ms)
            else:
                symbol, side, amount, price, now = act
                request = order(side, amount, price, id_=f"h{at_ms}", symbol=symbol)
                history.orders.append(history.book.submit(request, at_ms, match_now=now))
        except (OrderRefused, CancelRefused):
            pass
        history.check()


@settings(max_examples=100, deadline=None)
@given(
    limit=cents,
    prices=st.lists(cents, min_size=1, max_size=8),
    side=st.sampled_from(["buy", "sell"]),
    gap=st.booleans(),
)
def test_a_limit_order_never_fills_worse_than_its_limit_and_always_when_touched(
    limit: Decimal, prices: list[Decimal], side: str, gap: bool
) -> None:
    book = matching(USDT="1000000", ADA="1000")
    sent = book.submit(order(side, "10", str(limit)), 0, match_now=False)
    for at_ms, price in enumerate(prices):
        book.move(still(str(price), gap=gap), at_ms)
    reached = [price for price in prices if (price <= limit if side == "buy" else price >= limit)]
    if not reached:
        assert sent.is_open
        assert not sent.fills
        return
    (fill,) = sent.fills
    assert fill.price == (reached[0] if gap else limit)
    assert sent.status is OrderStatus.CLOSED


def test_an_arriving_limit_order_takes_the_better_price_of_the_market() -> None:
    book = matching()
    book.move(PricePoint(SYMBOL, Decimal(10), Decimal("9.99"), Decimal("10.01")), 1)
    assert book.submit(order("buy", "1", "11"), 1).fills[0].price == Decimal("10.01")
    assert book.submit(order("sell", "1", "9"), 1).fills[0].price == Decimal("9.99")


def test_slippage_is_rounded_against_the_market_order() -> None:
    book = matching(Terms(fee=ZERO, slippage=Decimal("0.0005")))
    book.move(PricePoint(SYMBOL, Decimal(10), Decimal("9.99"), Decimal("10.01")), 1)
    assert book.submit(order("buy", "1"), 1).fills[0].price == Decimal("10.02")
    assert book.submit(order("sell", "1"), 1).fills[0].price == Decimal("9.98")


def test_a_market_order_that_waits_pays_the_next_price_and_no_more_than_there_is() -> None:
    book = matching(USDT="100")
    book.move(still("10"), 1)
    sent = book.submit(order("buy", "10"), 1, match_now=False)
    assert book.ledger.balance("USDT") == Balance(ZERO, Decimal(100))
    book.move(still("12.50"), 2)
    assert (sent.status, sent.filled, sent.fills[0].price) == (
        OrderStatus.EXPIRED,
        Decimal("8.0"),
        Decimal("12.50"),
    )
    assert book.ledger.balance("USDT") == Balance(ZERO)


def test_a_market_order_without_any_price_is_refused() -> None:
    with pytest.raises(OrderRefused, match="has no price yet"):
        matching().submit(order("buy", "1"), 1)


def test_the_better_order_and_then_the_older_one_is_served_first() -> None:
    book = matching()
    for id_, price in (("a1", "9.50"), ("a2", "9.80"), ("a3", "9.80")):
        book.submit(order("buy", "2", price, id_=id_), 1)
    changed = book.move(still("9", Decimal(5)), 2)
    assert [(sent.client_order_id, sent.filled) for sent in changed] == [
        ("a2", Decimal("2")),
        ("a3", Decimal("2")),
        ("a1", Decimal("1")),
    ]


def test_what_one_order_takes_from_a_thin_book_the_next_cannot_take() -> None:
    book = matching()
    book.move(still("10", Decimal(3)), 1)
    assert book.submit(order("buy", "2", id_="a1"), 1).filled == 2
    assert book.submit(order("buy", "2", id_="a2"), 1).filled == 1
    emptied = book.submit(order("buy", "2", id_="a3"), 1)
    assert (emptied.status, emptied.filled) == (OrderStatus.EXPIRED, ZERO)


def test_partial_fills_repeat_from_a_saved_state() -> None:
    terms = Terms(fee=ZERO, partial_fill_probability=1.0)

    def filled(book: Matching, id_: str) -> Decimal:
        return book.submit(order("buy", "10", id_=id_), 1).filled

    first = matching(terms)
    first.move(still("10"), 1)
    filled(first, "a1")
    rules = {SYMBOL: RULES}
    resumed = Matching(rules, Ledger(first.ledger.balances()), terms, first.numbers)
    resumed.move(still("10"), 1)
    assert [filled(first, f"b{n}") for n in range(3)] == [filled(resumed, f"b{n}") for n in range(3)]


def test_only_so_many_ended_orders_are_remembered() -> None:
    money = {"USDT": Balance(Decimal(10_000))}
    book = Matching({SYMBOL: RULES}, Ledger(money), Terms(), Numbers(), remember=3)
    book.move(still("10"), 1)
    ids = [f"a{number}" for number in range(5)]
    for id_ in ids:
        book.submit(order("buy", "1", id_=id_), 1)
    assert [book.find(id_, SYMBOL) is not None for id_ in ids] == [False, False, True, True, True]


@pytest.mark.parametrize(
    "terms",
    [{"fee": Decimal(1)}, {"fee_in": "gold"}, {"slippage": Decimal("NaN")}, {"partial_fill_probability": 2}],
)
def test_terms_out_of_range_are_refused(terms: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match=next(iter(terms))):
        Terms(**terms)  # type: ignore[arg-type]


def test_the_bid_stays_above_zero_and_both_sides_on_the_step() -> None:
    step = Decimal("0.01")
    for cents_ in count(1, 37):
        if cents_ > 2000:
            break
        last = Decimal(cents_) * step
        bid, ask = bid_and_ask(last, Decimal("0.003"), step)
        assert 0 < bid <= last <= ask
        assert bid % step == ask % step == 0
