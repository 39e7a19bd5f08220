"""How a deal enters the market, and how an entry that does not fill is followed, replaced or given up."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deals.order_ids import base36, order_id, position_id
from tests.services.bench import Plan, limit_rules, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import PAIR, cancelled, closed, trade

ORDER_ID = re.compile("[0-9a-su-z][0-9a-z]{0,17}")
tags = st.from_regex("[a-su-z][0-9a-z]{4}", fullmatch=True)
numbers = st.integers(0, 36**6 - 1)
attempts = st.integers(0, 36**2 - 1)


@given(tags, numbers, st.sampled_from(["entry", "exit"]), attempts)
def test_a_client_order_id_is_taken_by_every_exchange(tag: str, number: int, leg: str, attempt: int) -> None:
    assert ORDER_ID.fullmatch(order_id(position_id(tag, number), leg, attempt))


purposes = st.tuples(tags, numbers, st.sampled_from(["entry", "exit"]), attempts)


@given(purposes, purposes)
def test_two_purposes_share_no_client_order_id(
    one: tuple[str, int, str, int], other: tuple[str, int, str, int]
) -> None:
    ids = {order_id(position_id(tag, number), leg, attempt) for tag, number, leg, attempt in (one, other)}
    assert len(ids) == len({one, other})


@pytest.mark.parametrize("number", [-1, 36**6])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        base36(number, 6)


@pytest.mark.parametrize(
    ("price", "others", "limit", "amount"),
    [
        ("10", {}, "10", "10.0"),
        ("10", {"bid": "9.99", "ask": "10.01"}, "9.99", "10.0"),
        ("10.019", {}, "10.01", "9.9"),
        ("10", {"bid": "10.5", "ask": "10.6"}, "10", "10.0"),
    ],
)
async def test_a_limit_entry_bids_no_more_than_last_and_spends_no_more_than_its_quota(
    tmp_path: Path, price: str, others: dict[str, str], limit: str, amount: str
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        await bench.price(price, **others)
        assert (await bench.buy()).taken
        (request,) = bench.desk.requests
        assert (request.type, request.side) == ("limit", "buy")
        assert (request.price, request.amount) == (Decimal(limit), Decimal(amount))


async def test_a_market_entry_names_no_price(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), market_rules())) as bench:
        await bench.enter("3")
        (request,) = bench.desk.requests
        assert (request.type, request.price, request.amount) == ("market", None, Decimal("33.3"))


async def test_an_entry_that_is_too_old_is_replaced_as_often_as_allowed_and_then_given_up(
    tmp_path: Path,
) -> None:
    rules = limit_rules(entry_max_age_s=20, entry_attempts=3)
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), rules)) as bench:
        await bench.enter()
        deal = bench.position().id
        bench.desk.cancels.extend([cancelled] * 10)
        for price in ("10.1", "10.2", "10.3", "10.4"):
            await bench.price(price)
            await bench.wait(20)
        assert [request.price for request in bench.desk.requests] == [
            Decimal("10"),
            Decimal("10.1"),
            Decimal("10.2"),
        ]
        assert len(set(bench.desk.asked("create"))) == 3
        assert bench.position(deal).state == "abandoned"
        assert bench.pair().state == "idle"
        assert bench.engine.state.commitments.reserved == 0


async def test_an_entry_is_left_to_rest_until_its_age_is_reached(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(entry_max_age_s=20))) as bench:
        await bench.enter()
        await bench.wait(19.999)
        assert bench.desk.asked("cancel") == []
        await bench.wait(0.001)
        assert len(bench.desk.asked("cancel")) == 1


async def test_an_entry_that_the_market_left_behind_is_replaced_at_the_new_price(tmp_path: Path) -> None:
    rules = limit_rules(entry_max_deviation=Decimal("0.03"))
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), rules)) as bench:
        first = await bench.enter()
        await bench.price("10.29")
        assert bench.desk.asked("cancel") == []
        bench.desk.cancels.append(cancelled)
        await bench.price("10.30")
        assert bench.desk.asked("cancel") == [first]
        assert [request.price for request in bench.desk.requests] == [Decimal("10"), Decimal("10.30")]
        assert bench.position().state == "ordering"


async def test_an_entry_that_filled_in_part_is_not_replaced(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(entry_max_age_s=20))) as bench:
        await bench.enter()
        bench.desk.cancels.append(lambda of: cancelled(of, trade("f1", of, "4")))
        await bench.wait(20)
        assert (bench.position().state, bench.position().quantity) == ("open", Decimal(4))
        assert len(bench.desk.requests) == 1


async def test_an_entry_is_not_replaced_once_an_exit_was_wanted(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry = await bench.enter()
        deal = bench.position().id
        bench.desk.cancels.append(cancelled)
        await bench.sell()
        assert bench.desk.asked("cancel") == [entry]
        assert bench.position(deal).state == "abandoned"
        assert len(bench.desk.requests) == 1


async def test_an_exit_wanted_while_a_stale_entry_is_being_cancelled_wins(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(entry_max_age_s=20))) as bench:
        entry = await bench.enter()
        deal = bench.position().id
        await bench.wait(20)
        assert bench.order(entry).state == "cancelling"
        await bench.sell()
        await bench.hear(cancelled(entry))
        assert bench.position(deal).state == "abandoned"
        assert len(bench.desk.requests) == 1


async def test_coins_bought_after_an_exit_was_wanted_are_sold_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        await bench.enter()
        bench.desk.cancels.append(lambda of: closed(of, trade("f1", of, "10")))
        await bench.sell()
        assert (bench.position().state, bench.position().exit_reason) == ("closing", "opposite_signal")
        assert [request.side for request in bench.desk.requests] == ["buy", "sell"]


async def test_a_stale_entry_is_not_replaced_while_entries_are_stopped(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(entry_max_age_s=20))) as bench:
        await bench.enter()
        deal = bench.position().id
        await bench.orchestrator.apply("permission", PAIR, "halt_ordered")
        bench.desk.cancels.append(cancelled)
        await bench.wait(20)
        assert bench.position(deal).state == "abandoned"
        assert len(bench.desk.requests) == 1


async def test_an_entry_is_not_replaced_for_less_than_the_exchange_takes(tmp_path: Path) -> None:
    """The market rose until the quota buys no longer what the exchange demands at least."""
    rules = limit_rules(entry_max_age_s=20)
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), rules)) as bench:
        await bench.enter()
        deal = bench.position().id
        bench.desk.cancels.append(cancelled)
        await bench.price("1000")
        await bench.wait(20)
        assert bench.position(deal).state == "abandoned"
        assert len(bench.desk.requests) == 1
