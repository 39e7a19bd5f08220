"""The reckoning holds over any history, and sees what is wrong when something is."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.rehearsal.api_error import ApiError
from dirigent.rehearsal.audit import audit, duplicates, faults_in_the_books, order_list
from dirigent.rehearsal.placed_order import NewOrder
from dirigent.rehearsal.venue import Venue
from fsm.values import ZERO
from services.exchanges.exact import floor_to, multiply
from tests.rehearsal.clients import MARKET, still

_STEP = Decimal("0.000001")


@dataclass(frozen=True)
class Wish:
    """An order somewhere around the market; `offset` and `size` are fractions."""

    side: str
    kind: str
    time_in_force: str
    size: float
    offset: float
    name: int
    part: float | None


@dataclass(frozen=True)
class Cancel:
    which: int


@dataclass(frozen=True)
class Move:
    to: int = field()


_WISHES = st.builds(
    Wish,
    side=st.sampled_from(["buy", "sell"]),
    kind=st.sampled_from(["MARKET", "LIMIT", "LIMIT_MAKER"]),
    time_in_force=st.sampled_from(["GTC", "IOC", "FOK"]),
    size=st.floats(0.0001, 0.8),
    offset=st.floats(-0.02, 0.02),
    name=st.integers(0, 5),
    part=st.none() | st.floats(0.05, 0.95),
)
_STEPS = st.lists(
    _WISHES | st.builds(Cancel, st.integers(0, 9)) | st.builds(Move, st.integers(63_000, 67_000)), max_size=25
)


@given(steps=_STEPS, fee_coin=st.none() | st.just("BNB"), slippage=st.sampled_from(["0", "0.001"]))
def test_the_books_add_up_after_any_history(
    steps: list[Wish | Cancel | Move], fee_coin: str | None, slippage: str
) -> None:
    balances = {"USDT": Decimal(50_000), "BTC": Decimal("0.5"), "BNB": Decimal("0.05")}
    venue = Venue(still(balances=balances, fee_coin=fee_coin, slippage=Decimal(slippage)))
    accepted = 0
    for at_ms, step in enumerate(steps, 1_000):
        try:
            accepted += _take(venue, step, at_ms)
        except ApiError:
            continue
        assert faults_in_the_books(venue.desk) == []
    reckoning = audit(venue, {})
    assert reckoning["orders"]["accepted"] == accepted == len(order_list(venue.desk))
    assert reckoning["faults_in_the_books"] == []
    by_name = [row["client_order_id"] for row in order_list(venue.desk)]
    assert {row["client_order_id"] for row in duplicates(venue.desk)} == {
        name for name in by_name if by_name.count(name) > 1
    }


def _take(venue: Venue, step: Wish | Cancel | Move, at_ms: int) -> int:
    """How many orders were accepted."""
    if isinstance(step, Move):
        venue.desk.move(venue.markets.point_at(MARKET, Decimal(step.to)), at_ms)
        return 0
    if isinstance(step, Cancel):
        open_orders = venue.desk.open_orders()
        if open_orders:
            venue.desk.cancel(open_orders[step.which % len(open_orders)], "cancel", at_ms)
        return 0
    last = venue.desk.point(MARKET).last
    price = None
    if step.kind != "MARKET":
        price = floor_to(multiply(last, Decimal(str(round(1 + step.offset, 6)))), Decimal("0.1"))
    amount = floor_to(Decimal(str(round(step.size, 6))), _STEP)
    new = NewOrder(MARKET, step.side, step.kind, step.time_in_force, f"name{step.name}", amount, price)
    order = venue.desk.place(new, at_ms, step.part, hold_ms=3)
    assert order.book.filled <= amount
    assert order.status in ("NEW", "PARTIALLY_FILLED", "FILLED", "EXPIRED")
    if step.kind == "MARKET" or (step.kind == "LIMIT" and step.time_in_force != "GTC"):
        assert not order.book.is_open
    return 1


@pytest.mark.parametrize(
    ("currency", "words"), [("USDT", "USDT: 100001 is there, 100000 should be"), ("DOGE", "DOGE: 1 is there")]
)
def test_money_from_nowhere_is_seen(currency: str, words: str) -> None:
    venue = Venue(still())
    venue.desk.ledger.give(currency, Decimal(1))
    assert words in "; ".join(faults_in_the_books(venue.desk))


def test_money_that_is_locked_for_nothing_is_seen() -> None:
    venue = Venue(still())
    venue.desk.ledger.lock("USDT", Decimal(1))
    assert faults_in_the_books(venue.desk) == ["USDT: 1 is locked, open orders need 0"]


def test_a_fill_that_an_order_does_not_know_is_seen() -> None:
    venue = Venue(still())
    order = venue.place(NewOrder(MARKET, "buy", "MARKET", "GTC", "name1", Decimal("0.01")))
    order.book.filled = ZERO
    assert "order 1001" in faults_in_the_books(venue.desk)[0]
