"""How a deal leaves the market: at its levels, on a signal, in time; and what follows when that is hard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from fsm.position import EXIT_TRIGGERED
from fsm.records import PositionRecord
from fsm.values import ZERO
from services.clocks import GivenClock
from services.exchanges.matching import Matching
from services.messages import OrderRefused, PairRules, RiskLimits
from tests.services.bench import NOW_MS, Bench, Plan, limit_rules, market_rules, running
from tests.services.desks import MarketDesk, ScriptedDesk
from tests.services.reports import PAIR, cancelled, closed, expired, resting, trade


def at_market(rules: PairRules, fee: str = "0") -> Plan:
    """A plan whose exchange fills at the prices of the test."""
    clock = GivenClock(NOW_MS)
    return Plan(MarketDesk(clock, fee=fee), rules, clock=clock)


@asynccontextmanager
async def holding_ten(directory: Path, rules: PairRules | None = None) -> AsyncIterator[Bench]:
    """Ten coins, bought at 10 each; what becomes of the exit, the test says."""
    plan = Plan(ScriptedDesk(), rules or market_rules())
    async with running(directory / "d.sqlite", plan) as bench:
        bench.desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
        await bench.enter()
        yield bench


# fmt: off
LEVELS = [
    # order     levels                                       prices         reason           profit
    ("market",  "take_profit 0.05",                          "10.49 10.50", "take_profit",   "5.0"),
    ("market",  "stop_loss 0.05",                            "9.51 9.50",   "stop_loss",     "-5.0"),
    ("market",  "stop_loss 0.05",                            "9.00",        "stop_loss",     "-10.0"),
    ("market",  "trailing_stop 0.10",                        "9.01 9.00",   "trailing_stop", "-10.0"),
    ("market",  "trailing_stop 0.10",                        "20 18.01 18", "trailing_stop", "80.0"),
    ("market",  "trailing_stop 0.10 stop_loss 0.05",         "9.51 9.50",   "stop_loss",     "-5.0"),
    ("market",  "trailing_stop 0.10 take_profit 0.50",       "14 15",       "take_profit",   "50.0"),
    ("limit",   "take_profit 0.05 stop_loss 0.05",           "10.50",       "take_profit",   "5.0"),
]
# fmt: on


@pytest.mark.parametrize(("order_type", "levels", "prices", "reason", "profit"), LEVELS)
async def test_a_deal_leaves_where_its_level_is_touched_and_not_before(
    tmp_path: Path, order_type: str, levels: str, prices: str, reason: str, profit: str
) -> None:
    words = levels.split()
    fractions = {name: Decimal(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    rules = PairRules(PAIR, order_type=order_type, **fractions)  # type: ignore[arg-type]
    async with running(tmp_path / "d.sqlite", at_market(rules)) as bench:
        await bench.enter()
        deal = bench.position().id
        for price in prices.split():
            assert bench.position().state == "open"
            await bench.price(price)
        ended = bench.position(deal)
        assert (ended.state, ended.exit_reason) == ("closed", reason)
        assert ended.realized_pnl == Decimal(profit)
        assert bench.pair().state == "idle"


async def test_fees_on_both_sides_are_part_of_the_result(tmp_path: Path) -> None:
    plan = at_market(market_rules(deal_quota=Decimal(50)), fee="0.001")
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.enter()
        deal = bench.position().id
        await bench.price("11")
        await bench.sell()
        assert bench.position(deal).realized_pnl == 55 - 50 - Decimal("0.05") - Decimal("0.055")
        balance = (await bench.desk.fetch_balance())["USDT"].total
        assert balance == Decimal(1000) + bench.position(deal).realized_pnl
        assert bench.engine.state.commitments.quote_total == balance


async def test_a_deal_that_does_not_listen_stays_when_the_signal_says_sell(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", at_market(market_rules(exit_on_sell_signal=False))) as bench:
        await bench.enter()
        decision = await bench.sell()
        assert (decision.taken, decision.because) == (False, "no position listens")
        assert bench.position().state == "open"


async def test_a_deal_is_held_no_longer_than_allowed(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", at_market(market_rules(max_hold_s=60))) as bench:
        await bench.enter()
        deal = bench.position().id
        await bench.wait(59.999)
        assert bench.position().state == "open"
        await bench.wait(0.001)
        assert (bench.position(deal).state, bench.position(deal).exit_reason) == ("closed", "time_limit")


async def test_a_person_can_force_a_deal_out(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", at_market(market_rules())) as bench:
        await bench.enter()
        deal = bench.position().id

        def force(position: PositionRecord) -> None:
            position.exit_reason = "force"

        assert await bench.orchestrator.apply("position", deal, EXIT_TRIGGERED, force)
        await bench.settle()
        assert (bench.position(deal).state, bench.position(deal).exit_reason) == ("closed", "force")


async def test_a_refused_exit_is_repeated_for_ever_with_a_growing_pause(tmp_path: Path) -> None:
    plan = at_market(market_rules())
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.enter()
        deal = bench.position().id
        bench.desk.creates.extend([OrderRefused("busy")] * 9)
        await bench.sell()
        sent_at_s = [0]
        for second in range(1, 300):
            await bench.wait(1)
            sent_at_s += [second] * (len(bench.desk.asked("create")) - 1 - len(sent_at_s))
        pauses = [after - before for before, after in pairwise(sent_at_s)]
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        assert bench.position(deal).state == "closed"
        assert len(set(bench.desk.asked("create"))) == len(bench.desk.asked("create"))


async def test_an_exit_refused_for_a_time_is_repeated_at_its_end(tmp_path: Path) -> None:
    """A ban says how long it lasts: waiting longer would leave the position to the market."""
    async with running(tmp_path / "d.sqlite", at_market(market_rules())) as bench:
        await bench.enter()
        deal = bench.position().id
        refusals = [OrderRefused("busy") for _ in range(4)]
        refusals += [OrderRefused("left alone", wait_ms=wait_ms) for wait_ms in (150_000, 90_000, 30_000)]
        bench.desk.creates.extend(refusals)
        await bench.sell()
        sent_at_s = [0]
        for second in range(1, 200):
            await bench.wait(1)
            sent_at_s += [second] * (len(bench.desk.asked("create")) - 1 - len(sent_at_s))
        pauses = [after - before for before, after in pairwise(sent_at_s)]
        assert pauses == [1, 2, 4, 8, 60, 60, 30]
        assert bench.position(deal).state == "closed"


async def test_an_exit_cut_short_is_repeated_over_the_rest(tmp_path: Path) -> None:
    async with holding_ten(tmp_path) as bench:
        deal = bench.position().id
        for answers in (bench.desk.creates, bench.desk.fetches):
            answers.append(lambda of: expired(of, trade("f2", of, "4", "11", side="sell")))
        await bench.sell()
        assert (bench.position().state, bench.position().quantity) == ("closing", Decimal(6))
        bench.desk.creates.append(lambda of: closed(of, trade("f3", of, "6", "12", side="sell")))
        await bench.wait(1)
        assert bench.position(deal).state == "closed"
        assert bench.position(deal).realized_pnl == 44 + 72 - 100


async def test_an_exit_whose_end_was_told_before_its_last_sale_sells_nothing_twice(tmp_path: Path) -> None:
    async with holding_ten(tmp_path) as bench:
        deal = bench.position().id
        bench.desk.creates.append(lambda of: expired(of, trade("f2", of, "4", "11", side="sell")))
        bench.desk.fetches.append(
            lambda of: closed(
                of, trade("f2", of, "4", "11", side="sell"), trade("f3", of, "6", "12", side="sell")
            )
        )
        await bench.sell()
        await bench.wait(30)
        assert [request.side for request in bench.desk.requests] == ["buy", "sell"]
        assert (bench.position(deal).state, bench.position(deal).realized_pnl) == (
            "closed",
            Decimal(44 + 72 - 100),
        )


async def test_an_exit_whose_end_nobody_confirms_waits_for_its_deadline_and_asks_again(
    tmp_path: Path,
) -> None:
    async with holding_ten(tmp_path) as bench:
        bench.desk.creates.append(lambda of: expired(of, trade("f2", of, "4", "11", side="sell")))
        await bench.sell()
        assert len(bench.desk.requests) == 2
        asked = len(bench.desk.asked("fetch"))
        await bench.wait(61)
        assert len(bench.desk.asked("fetch")) > asked
        assert len(bench.desk.requests) == 2


async def test_a_rest_too_small_to_sell_ends_as_dust_whose_cost_is_booked(tmp_path: Path) -> None:
    async with holding_ten(tmp_path) as bench:
        deal = bench.position().id
        for answers in (bench.desk.creates, bench.desk.fetches):
            answers.append(lambda of: expired(of, trade("f2", of, "9.7", side="sell")))
        await bench.sell()
        ended = bench.position(deal)
        assert (ended.state, ended.dust, ended.quantity) == ("closed", Decimal("0.3"), Decimal(0))
        assert ended.realized_pnl == Decimal(-3)
        assert bench.engine.state.commitments.exposure == 0


async def test_a_holding_that_lost_its_worth_ends_as_dust(tmp_path: Path) -> None:
    rules = market_rules(stop_loss=Decimal("0.5"))
    async with holding_ten(tmp_path, rules) as bench:
        deal = bench.position().id
        await bench.price("0.49")
        ended = bench.position(deal)
        assert (ended.state, ended.exit_reason, ended.dust) == ("dust", "stop_loss", Decimal(10))
        assert ended.realized_pnl == Decimal(-100)
        assert bench.pair().state == "idle"


async def test_an_exit_that_rests_too_long_is_cancelled_and_repeated(tmp_path: Path) -> None:
    async with holding_ten(tmp_path) as bench:
        await bench.sell()
        first = bench.position().exit_order_id
        bench.desk.cancels.append(cancelled)
        bench.desk.fetches.extend([resting, cancelled])  # asked after 30 s of silence, and after the cancel
        await bench.wait(30)
        assert bench.desk.asked("cancel") == [first]
        await bench.wait(1)
        assert bench.position().exit_order_id != first
        assert bench.position().state == "closing"


async def test_a_stop_stands_under_what_has_filled_of_an_entry_still_at_work(tmp_path: Path) -> None:
    rules = limit_rules(stop_loss=Decimal("0.05"))
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), rules)) as bench:
        entry = await bench.enter()
        await bench.hear(resting(entry, trade("f1", entry, "4")))
        bench.desk.cancels.append(lambda of: cancelled(of, trade("f1", of, "4")))
        await bench.price("9.5")
        assert bench.desk.asked("cancel") == [entry]
        assert (bench.position().state, bench.position().exit_reason) == ("closing", "stop_loss")
        assert bench.desk.requests[-1].amount == Decimal(4)


async def test_coins_bought_late_do_not_let_the_trailing_stop_down(tmp_path: Path) -> None:
    rules = limit_rules(trailing_stop=Decimal("0.1"))
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), rules)) as bench:
        entry = await bench.enter()
        await bench.hear(cancelled(entry, trade("f1", entry, "4")))
        await bench.price("20")
        await bench.hear(cancelled(entry, trade("f1", entry, "4"), trade("f2", entry, "1")))
        assert bench.position().quantity == Decimal(5)
        await bench.price("18")
        assert (bench.position().state, bench.position().exit_reason) == ("closing", "trailing_stop")


async def sold_out(bench: Bench, deals: int) -> None:
    for _ in range(deals):
        assert (await bench.buy()).taken
    assert len(bench.engine.state.working.positions) == deals
    await bench.sell()
    assert len(bench.engine.state.working.positions) == 0


async def test_one_signal_may_close_hundreds_of_deals(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    desk = MarketDesk(clock, quote="100000")
    rules = market_rules(max_deals=300)
    plan = Plan(desk, rules, RiskLimits(max_open_deals=300), clock=clock)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        await sold_out(bench, 150)
        assert bench.permission() == "active"
        book: Matching = desk.book
        assert (book.ledger.total("ADA"), book.ledger.total("USDT")) == (ZERO, Decimal(100_000))
        assert bench.pair(PAIR).state == "idle"
