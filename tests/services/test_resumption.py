"""After a death at any moment the next start goes on: it asks before it acts, and it forgets nothing."""

from decimal import Decimal
from pathlib import Path

import pytest

from persistence.store import SqliteStore
from services.clocks import GivenClock
from tests.services.bench import NOW_MS, Bench, Plan, SmaCross, limit_rules, market_rules, running, started
from tests.services.desks import MarketDesk, ScriptedDesk
from tests.services.reports import cancelled, closed, resting, trade


def on_clock(clock: GivenClock, desk: ScriptedDesk | None = None, **rules: object) -> Plan:
    return Plan(desk or ScriptedDesk(), limit_rules(**rules), clock=clock)


async def died_with_an_entry(path: Path, plan: Plan) -> str:
    """A first engine that dies right after its entry order was acknowledged."""
    async with running(path, plan) as bench:
        entry = await bench.enter()
    plan.desk.calls.clear()
    plan.desk.requests.clear()
    return entry


async def enter_unsent(bench: Bench) -> str:
    """The engine keeps its entry order and does not come to send it; the order's id."""
    await bench.price("10")
    bench.engine.state.sends_are_held = True
    assert (await bench.buy()).taken
    return bench.position().entry_order_id


async def test_an_outstanding_order_is_looked_up_at_the_start(tmp_path: Path) -> None:
    plan = on_clock(GivenClock(NOW_MS))
    entry = await died_with_an_entry(tmp_path / "d.sqlite", plan)
    plan.desk.fetches.append(lambda of: closed(of, trade("f1", of, "10")))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert plan.desk.asked("fetch")[0] == entry
        assert plan.desk.asked("create") == []
        assert (bench.position().state, bench.position().quantity) == ("open", Decimal(10))
        assert (bench.resumption.positions, bench.resumption.orders) == (1, 1)
        assert bench.resumption.unknown_orders == 0


async def test_a_request_that_may_or_may_not_have_left_is_asked_for_and_never_sent_again(
    tmp_path: Path,
) -> None:
    plan = on_clock(GivenClock(NOW_MS))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        entry = await enter_unsent(bench)
        assert bench.order(entry).state == "submitting"
    plan.desk.fetches.extend([lambda _: None] * 100)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.order(entry).state == "unknown"
        assert bench.resumption.unknown_orders == 1
        assert not (await bench.buy()).taken
        deal = bench.position().id
        await bench.wait(20)
        assert bench.order(entry).state == "rejected"
        assert bench.position(deal).state == "abandoned"
        assert plan.desk.asked("create") == []


async def test_a_request_of_a_dead_engine_is_not_kept_waiting_for_ever(tmp_path: Path) -> None:
    """What became of it, the look-up says; its outbox row is settled with the start."""
    plan = on_clock(GivenClock(NOW_MS))
    with SqliteStore.open(tmp_path / "d.sqlite", tag="dtest") as store:
        await enter_unsent(await started(plan, store))
        assert len(store.load().pending_outbox) == 1
    with SqliteStore.open(tmp_path / "d.sqlite") as store:
        await started(plan, store)
        assert store.load().pending_outbox == []


async def test_nothing_is_sent_before_every_outstanding_order_was_asked_for(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(ScriptedDesk(), limit_rules(max_deals=3, max_hold_s=60), clock=clock)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        first = await bench.enter()
        await bench.hear(closed(first, trade("f1", first, "10")))
        assert (await bench.buy()).taken
        second = bench.desk.asked("create")[-1]
    plan.desk.calls.clear()
    clock.set(NOW_MS + 61_000)
    plan.desk.fetches.append(resting)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        kinds = [kind for kind, _ in plan.desk.calls]
        assert plan.desk.calls[0] == ("fetch", second)
        assert kinds.index("create") > max(n for n, kind in enumerate(kinds) if kind == "fetch")
        (leaving,) = plan.desk.asked("create")
        deal = bench.position(bench.order(leaving).position_id)
        assert (deal.state, deal.exit_reason) == ("closing", "time_limit")


async def test_an_exit_that_fell_due_meanwhile_leaves_with_the_start_at_its_first_attempt(
    tmp_path: Path,
) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(MarketDesk(clock), market_rules(max_hold_s=60), clock=clock)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.enter()
        deal = bench.position().id
    plan.desk.calls.clear()
    clock.set(NOW_MS + 61_000)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.position(deal).state == "closed"
        assert bench.position(deal).exit_attempt == 1
        assert plan.desk.calls == [("create", bench.position(deal).exit_order_id)]


@pytest.mark.parametrize("answers_after", range(8))
async def test_an_order_whose_look_up_was_due_may_be_answered_at_any_moment_of_the_start(
    tmp_path: Path, answers_after: int
) -> None:
    """The look-up of its deadline and the one of the start run side by side."""
    clock = GivenClock(NOW_MS)
    plan = on_clock(clock)
    await died_with_an_entry(tmp_path / "d.sqlite", plan)
    clock.set(NOW_MS + 3_600_000)
    plan.desk.loop_turns_to_answer = answers_after
    plan.desk.fetches.extend([lambda of: closed(of, trade("f1", of, "10"))] * 5)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.position().state == "open"
        assert bench.permission() == "active"


async def test_a_cancel_that_was_asked_for_before_the_death_is_asked_for_again(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = on_clock(clock, entry_max_age_s=20)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        entry = await bench.enter()
        await bench.wait(20)
        assert bench.order(entry).state == "cancelling"
        deal = bench.position().id
    plan.desk.calls.clear()
    plan.desk.fetches.append(resting)
    plan.desk.cancels.append(cancelled)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert plan.desk.calls[0] == ("fetch", entry)
        assert ("cancel", entry) in plan.desk.calls
        assert bench.order(entry).state == "cancelled"
        assert bench.position(deal).state == "abandoned"


async def test_a_deadline_that_passed_meanwhile_is_applied_at_the_start(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = on_clock(clock, signal_expires_s=30)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert (await bench.buy()).taken
        assert bench.pair().state == "signalled"
    clock.set(NOW_MS + 3_600_000)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.pair().state == "idle"
        await bench.price("10")
        assert plan.desk.calls == []


async def test_a_waiting_signal_survives_a_start(tmp_path: Path) -> None:
    plan = on_clock(GivenClock(NOW_MS))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert (await bench.buy(reason="the moon")).taken
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        assert bench.position().reason == "the moon"
        assert len(plan.desk.requests) == 1


async def test_positions_are_numbered_on_over_every_start(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(MarketDesk(clock), market_rules(), clock=clock)
    seen = []
    for start in range(3):
        async with running(tmp_path / "d.sqlite", plan) as bench:
            assert bench.resumption.epoch == start + 1
            await bench.enter()
            seen.append(bench.position().id)
            await bench.sell()
    assert len(set(seen)) == 3
    assert seen == sorted(seen)
    assert len(set(plan.desk.asked("create"))) == 6


async def test_a_signal_offered_before_the_start_is_not_offered_again(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(MarketDesk(clock), market_rules(), clock=clock)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        assert (await bench.buy(id="once")).taken
        await bench.sell()
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        decision = await bench.buy(id="once")
        assert decision.because == "signal_is_new: signal once was offered before"


async def test_a_stale_entry_found_cancelled_before_any_price_came_is_given_up(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = on_clock(clock, entry_max_age_s=20)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.enter()
        await bench.wait(20)
        deal = bench.position().id
    plan.desk.calls.clear()
    plan.desk.fetches.append(cancelled)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.position(deal).state == "abandoned"
        assert bench.permission() == "active"
        assert plan.desk.asked("create") == []


async def test_a_closing_deal_goes_on_closing_after_the_start(tmp_path: Path) -> None:
    plan = on_clock(GivenClock(NOW_MS))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        entry = await bench.enter()
        await bench.hear(closed(entry, trade("f1", entry, "10")))
        await bench.sell()
        deal, leaving = bench.position().id, bench.position().exit_order_id
    plan.desk.fetches.append(lambda of: closed(of, trade("f2", of, "10", "11", side="sell")))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert plan.desk.asked("fetch") == [leaving]
        assert (bench.position(deal).state, bench.position(deal).realized_pnl) == ("closed", Decimal(10))


async def test_a_restart_journals_which_strategies_decide_only_when_that_is_new(tmp_path: Path) -> None:
    plan = on_clock(GivenClock(NOW_MS))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert '"name":"external"' in bench.pair().strategy
        version = bench.pair().version
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.pair().version == version
    plan.strategy = SmaCross()
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.pair().version == version + 1
        assert '"name":"sma_cross"' in bench.pair().strategy
