"""Fills after the end are still ours; fills that cannot be are an anomaly that stops the pair alone."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from services.messages import MarketRules, OrderRefused, OrderReport
from tests.services.bench import Bench, Plan, limit_rules, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import PAIR, cancelled, closed, expired, rejected, resting, trade

OTHER = "XRP/USDT"


async def ended(bench: Bench, end: Callable[[str], OrderReport]) -> tuple[str, str]:
    """The ids of an entry order that ended as given, and of its deal."""
    entry = await bench.enter()
    deal = bench.position().id
    await bench.hear(end(entry))
    return entry, deal


@pytest.mark.parametrize("end", [cancelled, expired], ids=["cancelled", "expired"])
async def test_a_fill_after_a_deal_was_given_up_brings_it_back(
    tmp_path: Path, end: Callable[[str], OrderReport]
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry, deal = await ended(bench, end)
        assert bench.position(deal).state == "abandoned"
        assert bench.pair().state == "idle"
        await bench.hear(closed(entry, trade("f1", entry, "10")))
        assert bench.position().id == deal
        assert (bench.position().state, bench.position().quantity) == ("open", Decimal(10))
        assert bench.pair().state == "open"
        assert bench.engine.state.commitments.deals == 1
        assert bench.permission() == "active"


async def test_a_late_crumb_is_dust_with_its_cost_booked(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry, deal = await ended(bench, cancelled)
        await bench.hear(cancelled(entry, trade("f1", entry, "0.2")))
        position = bench.position(deal)
        assert (position.state, position.dust, position.realized_pnl) == ("dust", Decimal("0.2"), Decimal(-2))
        await bench.hear(cancelled(entry, trade("f1", entry, "0.2"), trade("f2", entry, "0.8")))
        assert (bench.position().state, bench.position().quantity) == ("open", Decimal(1))
        assert bench.position().realized_pnl == 0


async def test_a_fill_after_the_deal_was_closed_opens_it_again(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry, deal = await ended(bench, lambda of: cancelled(of, trade("f1", of, "4")))
        await bench.sell()
        leaving = bench.position().exit_order_id
        await bench.hear(closed(leaving, trade("f2", leaving, "4", "11", side="sell")))
        assert (bench.position(deal).state, bench.position(deal).realized_pnl) == ("closed", Decimal(4))
        await bench.hear(closed(entry, trade("f1", entry, "4"), trade("f3", entry, "6")))
        assert bench.order(entry).state == "filled"
        assert bench.position().id == deal
        assert bench.position().quantity == Decimal(6)


async def test_coins_bought_late_while_leaving_are_sold_too(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry, _ = await ended(bench, lambda of: cancelled(of, trade("f1", of, "4")))
        await bench.sell()
        first = bench.position().exit_order_id
        await bench.hear(closed(entry, trade("f1", entry, "4"), trade("f2", entry, "6")))
        await bench.hear(closed(first, trade("f3", first, "4", side="sell")))
        assert bench.position().state == "closing"
        await bench.wait(1)
        assert bench.desk.requests[-1].amount == Decimal(6)


async def test_an_order_believed_never_to_have_arrived_and_filled_is_ours_and_an_anomaly(
    tmp_path: Path, logged: list[dict[str, object]]
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry, deal = await ended(bench, rejected)
        await bench.hear(closed(entry, trade("f1", entry, "10")))
        assert bench.order(entry).state == "filled"
        assert (bench.position().id, bench.position().state) == (deal, "open")
        assert bench.permission() == "halted"
        assert entry in bench.engine.state.permission(PAIR).reason


@pytest.mark.parametrize(
    "amounts", [("6", "6"), ("12",), ("10", "2"), ("2", "10")], ids=lambda amounts: "+".join(amounts)
)
async def test_more_filled_than_ordered_is_an_anomaly_that_stops_the_pair_alone(
    tmp_path: Path, amounts: tuple[str, ...], logged: list[dict[str, object]]
) -> None:
    rules = {PAIR: limit_rules(), OTHER: replace(market_rules(), symbol=OTHER)}
    desk = ScriptedDesk()
    desk.rules[OTHER] = MarketRules(OTHER, Decimal("0.1"), Decimal("0.01"))
    async with running(tmp_path / "d.sqlite", Plan(desk, rules)) as bench:
        entry = await bench.enter()
        fills = [trade(f"f{number}", entry, amount) for number, amount in enumerate(amounts)]
        for known in range(1, len(fills) + 1):
            await bench.hear(closed(entry, *fills[:known]))
        assert bench.permission(PAIR) == "halted"
        assert (bench.permission(OTHER), bench.permission("engine")) == ("active", "active")
        assert [line for line in logged if line.get("event") == "anomaly"]
        await bench.price("10", OTHER)
        assert (await bench.buy(OTHER)).taken


async def test_an_anomaly_is_journaled_and_counted(tmp_path: Path, logged: list[dict[str, object]]) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry = await bench.enter()
        await bench.hear(closed(entry, trade("f1", entry, "10")))
        await bench.orchestrator.apply("position", bench.position().id, "entry_planned")
        (line,) = [line for line in logged if line.get("event") == "anomaly"]
        assert (line["machine"], line["subject"]) == ("position", bench.position().id)
        assert line["happened"] == "entry_planned"
        assert bench.position().state == "open"
        assert bench.permission() == "halted"
        assert bench.engine.state.metrics.anomalies == 1


async def test_a_trade_id_that_another_order_has_used_stops_its_pair_and_not_the_engine(
    tmp_path: Path, logged: list[dict[str, object]]
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(max_deals=3))) as bench:
        first = await bench.enter()
        await bench.hear(closed(first, trade("same", first, "10")))
        assert (await bench.buy()).taken
        second = bench.desk.asked("create")[-1]
        assert second != first
        await bench.hear(closed(second, trade("same", second, "10")))
        assert bench.permission("engine") == "active"
        assert bench.permission() == "halted"
        await bench.price("10")


async def test_an_exit_that_was_given_up_and_fills_late_ends_the_deal(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        _, deal = await ended(bench, lambda of: closed(of, trade("f1", of, "10")))
        bench.desk.creates.append(OrderRefused("busy"))
        await bench.sell()
        first = bench.position().exit_order_id
        assert bench.order(first).state == "rejected"
        await bench.hear(closed(first, trade("f2", first, "10", "11", side="sell")))
        assert (bench.position(deal).state, bench.position(deal).realized_pnl) == ("closed", Decimal(10))


async def test_an_entry_believed_dead_that_fills_a_little_is_cancelled_once_it_is_found(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry, deal = await ended(bench, rejected)
        bench.desk.cancels.append(lambda of: cancelled(of, trade("f1", of, "4")))
        await bench.hear(resting(entry, trade("f1", entry, "4")))
        await bench.hear(resting(entry, trade("f1", entry, "4")))
        assert (bench.position().id, bench.position().state) == (deal, "open")
        assert bench.order(entry).state == "cancelled"
        assert bench.desk.asked("cancel") == [entry]


async def test_the_late_end_of_a_replaced_entry_does_not_end_the_one_that_replaced_it(tmp_path: Path) -> None:
    rules = limit_rules(entry_max_age_s=60)
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), rules)) as bench:
        first = await bench.enter()
        await bench.wait(61)
        await bench.hear(cancelled(first))
        second = bench.position().entry_order_id
        assert second != first
        await bench.hear(closed(first, trade("f1", first, "10")))
        position = bench.position()
        assert (position.state, position.quantity, position.entry_order_id) == (
            "ordering",
            Decimal(10),
            second,
        )
        await bench.hear(closed(second, trade("f2", second, "10")))
        assert (bench.position().state, bench.position().quantity) == ("open", Decimal(20))


async def test_a_late_acknowledgement_moves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry, deal = await ended(bench, cancelled)
        before = bench.order(entry).version
        await bench.hear(resting(entry), cancelled(entry), expired(entry))
        assert (bench.order(entry).state, bench.order(entry).version) == ("cancelled", before)
        assert bench.position(deal).state == "abandoned"
        assert bench.permission() == "active"
