"""The rehearsal exchange's filters refuse the orders that the engine's own rules refuse, and no others."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from dirigent.rehearsal.api_error import ApiError
from dirigent.rehearsal.order_checks import check_filters
from dirigent.rehearsal.placed_order import NewOrder
from services.exchanges.order_rules import refuse_bad_order
from services.exchanges.price_point import PricePoint
from services.messages import MarketRules, OrderRefused, OrderRequest

SYMBOL = "ADA/USDT"
PRICE = Decimal(10)
POINT = PricePoint(SYMBOL, PRICE, PRICE, PRICE)


def thousandths(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda number: Decimal(number).scaleb(-3))


RULES = st.builds(
    MarketRules,
    symbol=st.just(SYMBOL),
    amount_step=st.sampled_from([Decimal("0.001"), Decimal("0.01"), Decimal("0.5")]),
    price_step=st.sampled_from([Decimal("0.001"), Decimal("0.01"), Decimal("0.5")]),
    amount_min=thousandths(0, 2_000),
    cost_min=thousandths(0, 20_000),
    price_min=thousandths(0, 12_000),
    price_max=st.none() | thousandths(8_000, 40_000),
)
OPEN = MarketRules(SYMBOL, Decimal("0.001"), Decimal("0.001"))
PRICES = st.none() | thousandths(2_000, 50_000)
"""Within the band around the market that PERCENT_PRICE_BY_SIDE leaves, of which ccxt tells nothing."""


def is_refused_by_rule(amount: Decimal, price: Decimal | None, rules: MarketRules) -> bool:
    kind = "market" if price is None else "limit"
    try:
        refuse_bad_order(OrderRequest("a1", SYMBOL, "buy", kind, amount, price), rules, PRICE)
    except OrderRefused:
        return True
    return False


def code_of(amount: Decimal, price: Decimal | None, rules: MarketRules) -> int | None:
    kind = "MARKET" if price is None else "LIMIT"
    try:
        check_filters(NewOrder(SYMBOL, "buy", kind, "GTC", "a1", amount, price), rules, POINT, PRICE)
    except ApiError as error:
        return error.code
    return None


@given(amount=thousandths(1, 4_000), price=PRICES, rules=RULES)
@example(
    amount=Decimal(1),
    price=Decimal("9.999"),
    rules=MarketRules(SYMBOL, OPEN.amount_step, OPEN.price_step, price_min=PRICE),
)
@example(
    amount=Decimal(1),
    price=Decimal("10.001"),
    rules=MarketRules(SYMBOL, OPEN.amount_step, OPEN.price_step, price_max=PRICE),
)
def test_an_order_breaks_a_filter_where_it_breaks_a_rule(
    amount: Decimal, price: Decimal | None, rules: MarketRules
) -> None:
    assert code_of(amount, price, OPEN) is None
    refused = code_of(amount, price, rules)
    assert (refused == -1013) == (refused is not None) == is_refused_by_rule(amount, price, rules)
