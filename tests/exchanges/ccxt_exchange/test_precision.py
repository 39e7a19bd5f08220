"""Steps and minima out of ccxt's market structures; every limit may be missing."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchanges.ccxt_exchange.parsing import Unreadable
from services.exchanges.ccxt_exchange.precision import (
    DECIMAL_PLACES,
    FINEST,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
    rules_of,
    snapped,
    step_of,
)
from services.exchanges.exact import is_multiple
from services.exchanges.order_rules import refuse_bad_order
from services.messages import OrderRefused, OrderRequest

STEPS = (
    # mode, precision, reference price, step
    (TICK_SIZE, "0.00001000", None, "0.00001"),
    (TICK_SIZE, "5", None, "5"),
    (TICK_SIZE, None, None, "1E-8"),
    (DECIMAL_PLACES, "8", None, "1E-8"),
    (DECIMAL_PLACES, "0", None, "1"),
    (DECIMAL_PLACES, "-2", None, "100"),
    (SIGNIFICANT_DIGITS, "5", "64123.5", "1"),
    (SIGNIFICANT_DIGITS, "5", "123456", "10"),
    (SIGNIFICANT_DIGITS, "5", "0.0123", "0.000001"),
    (SIGNIFICANT_DIGITS, "5", None, "0.00001"),
    (DECIMAL_PLACES, None, None, "1E-8"),
)


@pytest.mark.parametrize(("mode", "precision", "reference", "step"), STEPS)
def test_a_precision_is_read_in_the_exchanges_own_way(
    mode: int, precision: str | None, reference: str | None, step: str
) -> None:
    price = None if reference is None else Decimal(reference)
    assert step_of(precision, mode, price, "price") == Decimal(step)


@pytest.mark.parametrize(("mode", "precision"), [(TICK_SIZE, "-1"), (DECIMAL_PLACES, "0.5"), (9, "1")])
def test_a_precision_that_makes_no_sense_is_refused_by_name(mode: int, precision: str) -> None:
    with pytest.raises(Unreadable, match="BTC/USDT"):
        step_of(precision, mode, None, "BTC/USDT precision.price")


def market(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTC/USDT",
        "precision": {"amount": "0.001", "price": "0.01"},
        "limits": {
            "amount": {"min": "0.002"},
            "cost": {"min": "5"},
            "price": {"min": None},
            "market": {"min": "0.003"},
        },
        **changes,
    }


def test_the_larger_of_two_minima_holds() -> None:
    rules = rules_of(market(), TICK_SIZE)
    assert (rules.amount_step, rules.price_step) == (Decimal("0.001"), Decimal("0.01"))
    assert (rules.amount_min, rules.cost_min) == (Decimal("0.003"), Decimal(5))


LIMITS = [
    ({"amount": {"min": "0.5"}}, "0.499", "100", "amount_min 0.5"),
    ({"market": {"min": "0.5"}}, "0.499", "100", "amount_min 0.5"),
    ({"cost": {"min": "50"}}, "0.499", "100", "cost_min 50"),
    ({"price": {"min": "100.01"}}, "0.5", "100", "price_min 100.01"),
    ({"price": {"max": "99.99"}}, "0.5", "100", "price_max 99.99"),
]


@pytest.mark.parametrize(("limits", "amount", "price", "why"), LIMITS, ids=[row[-1] for row in LIMITS])
def test_each_limit_that_a_market_names_refuses_what_breaks_it(
    limits: dict[str, Any], amount: str, price: str, why: str
) -> None:
    request = OrderRequest("a1", "BTC/USDT", "buy", "limit", Decimal(amount), Decimal(price))
    refuse_bad_order(request, rules_of(market(limits={}), TICK_SIZE), None)
    with pytest.raises(OrderRefused, match=why):
        refuse_bad_order(request, rules_of(market(limits=limits), TICK_SIZE), None)


def test_the_price_of_a_market_order_is_nobodys_to_limit() -> None:
    rules = rules_of(market(limits={"price": {"min": "200", "max": "300"}}), TICK_SIZE)
    refuse_bad_order(OrderRequest("a1", "BTC/USDT", "buy", "market", Decimal(1)), rules, Decimal(100))


@pytest.mark.parametrize(
    "limits",
    [
        None,
        {},
        {"amount": None, "cost": {}},
        {"amount": {"min": None}, "cost": {"min": None}, "market": {"min": None}, "price": {"max": None}},
        {"price": {"min": "0.00000000", "max": "0.00000000"}},
    ],
)
def test_a_missing_limit_limits_nothing(limits: object) -> None:
    rules = rules_of(market(limits=limits), TICK_SIZE)
    assert (rules.amount_min, rules.cost_min) == (Decimal(0), Decimal(0))
    assert (rules.price_min, rules.price_max) == (Decimal(0), None)


def test_a_missing_precision_is_the_finest() -> None:
    rules = rules_of(market(precision={"amount": None}), TICK_SIZE)
    assert (rules.amount_step, rules.price_step) == (FINEST, FINEST)


@given(
    price=st.decimals("0.00000001", "1000000", allow_nan=False),
    exponent=st.integers(-8, 2),
    side=st.sampled_from(["buy", "sell"]),
)
def test_a_snapped_price_is_on_the_step_and_never_worse(price: Decimal, exponent: int, side: str) -> None:
    step = Decimal(f"1E{exponent}")
    near = snapped(price, side, step)
    assert is_multiple(near, step)
    assert abs(near - price) < step
    assert near <= price if side == "buy" else near >= price
