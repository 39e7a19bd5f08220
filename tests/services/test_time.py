"""Pauses, ages and limits of the day: what happens a millisecond before, at, and after each of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from services.clocks import GivenClock, SystemClock
from services.messages import RiskLimits
from services.risk_management import day_of, next_day_ms
from tests.services.bench import NOW_MS, Bench, Plan, limit_rules, market_rules, running
from tests.services.desks import MarketDesk, ScriptedDesk
from tests.services.reports import PAIR, cancelled

MIDNIGHT_MS = 1_700_006_400_000
DAY_MS = 86_400_000


def at_market(limits: RiskLimits | None = None, **rules: Any) -> Plan:
    clock = GivenClock(NOW_MS)
    return Plan(MarketDesk(clock), market_rules(**rules), limits or RiskLimits(), clock=clock)


def moved_to(bench: Bench, at_ms: int) -> None:
    assert isinstance(bench.plan.clock, GivenClock)
    bench.plan.clock.set(at_ms)


def test_a_day_begins_at_midnight_utc() -> None:
    assert next_day_ms(NOW_MS) == MIDNIGHT_MS
    assert next_day_ms(MIDNIGHT_MS - 1) == MIDNIGHT_MS
    assert next_day_ms(MIDNIGHT_MS) == MIDNIGHT_MS + DAY_MS
    assert (day_of(MIDNIGHT_MS - 1), day_of(MIDNIGHT_MS)) == ("2023-11-14", "2023-11-15")


async def test_a_pair_pauses_after_a_deal_for_exactly_as_long_as_told(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", at_market(cooldown_s=60)) as bench:
        await bench.enter()
        await bench.sell()
        await bench.wait(59.999)
        await bench.price("10")
        decision = await bench.buy()
        assert (decision.taken, decision.because) == (False, "cooldown_is_over: 0.001 s left")
        await bench.wait(0.001)
        assert (await bench.buy()).taken


async def test_a_deal_that_never_bought_anything_begins_no_pause(tmp_path: Path) -> None:
    plan = Plan(ScriptedDesk(), limit_rules(cooldown_s=60))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        entry = await bench.enter()
        await bench.sell()
        await bench.hear(cancelled(entry))
        assert (await bench.buy()).taken


async def test_a_pause_ends_by_the_systems_clock_too(tmp_path: Path) -> None:
    clock = SystemClock()
    plan = Plan(MarketDesk(clock), market_rules(cooldown_s=60), clock=clock)
    with freeze_time("2023-11-14T22:13:20Z", real_asyncio=True) as frozen:
        async with running(tmp_path / "d.sqlite", plan) as bench:
            await bench.enter()
            await bench.sell()
            frozen.tick(timedelta(seconds=59))
            await bench.price("10")
            assert "1 s left" in (await bench.buy()).because
            frozen.tick(timedelta(seconds=1))
            assert (await bench.buy()).taken


async def test_the_loss_limit_of_a_day_falls_at_midnight_by_the_systems_clock(tmp_path: Path) -> None:
    with freeze_time("2023-11-14T23:59:00Z", real_asyncio=True) as frozen:
        clock = SystemClock()
        limits = RiskLimits(max_daily_loss=Decimal(5))
        async with running(
            tmp_path / "d.sqlite", Plan(MarketDesk(clock), market_rules(), limits, clock=clock)
        ) as bench:
            await bench.enter()
            await bench.price("9")
            await bench.sell()
            await bench.update()
            assert bench.permission("engine") == "exits_only"
            frozen.tick(timedelta(seconds=59, milliseconds=999))
            await bench.update()
            assert bench.permission("engine") == "exits_only"
            frozen.tick(timedelta(milliseconds=1))
            assert datetime.now(UTC).isoformat() == "2023-11-15T00:00:00+00:00"
            await bench.update()
            assert bench.permission("engine") == "active"


async def test_a_signal_waits_for_a_price_until_it_expires(tmp_path: Path) -> None:
    async with running(
        tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(signal_expires_s=30))
    ) as bench:
        assert (await bench.buy()).taken
        await bench.wait(29.999)
        assert bench.pair().state == "signalled"
        await bench.wait(0.001)
        assert (bench.pair().state, bench.pair().signal) == ("idle", "")
        assert bench.pair().reason == "signal dropped: deadline_passed"
        await bench.price("10")
        assert bench.desk.calls == []


async def test_a_signal_enters_at_the_first_fresh_price_before_it_expires(tmp_path: Path) -> None:
    async with running(
        tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(signal_expires_s=30))
    ) as bench:
        assert (await bench.buy()).taken
        await bench.wait(29.999)
        await bench.price("10")
        assert len(bench.desk.requests) == 1
        assert bench.pair().state == "ordering"


async def test_a_signal_that_has_expired_or_comes_from_the_future_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        await bench.price("10")
        now_ms = bench.now_ms
        decision = await bench.buy(at=now_ms - 30_000, expires_at=now_ms)
        assert decision.because == "signal_is_fresh: it expired 0 ms ago"
        decision = await bench.buy(at=now_ms + 60_001, expires_at=now_ms + 90_000)
        assert decision.because == "signal_is_fresh: it is dated 60001 ms ahead, tolerance 60000 ms"
        assert (await bench.buy(at=now_ms - 30_000, expires_at=now_ms + 1)).taken


async def test_the_days_loss_stops_entries_at_its_limit_and_exits_go_on(tmp_path: Path) -> None:
    limits = RiskLimits(max_daily_loss=Decimal(20))
    async with running(tmp_path / "d.sqlite", at_market(limits, max_deals=3)) as bench:
        await bench.enter()
        await bench.price("8.01")
        await bench.update()
        assert bench.permission("engine") == "active"
        await bench.price("8")
        await bench.update()
        permission = bench.engine.state.permission("engine")
        assert permission.state == "exits_only"
        assert permission.reason.startswith("max_daily_loss: lost 20")
        assert permission.due_at_ms == MIDNIGHT_MS
        decision = await bench.buy()
        assert decision.because.startswith("entry_is_permitted: engine is exits_only: max_daily_loss")
        assert (await bench.sell()).taken
        assert bench.engine.state.working.positions == {}


async def test_the_loss_limit_holds_in_the_same_turn_in_which_it_is_reached(tmp_path: Path) -> None:
    """Before any round has looked at the day, the risk check already refuses."""
    limits = RiskLimits(max_daily_loss=Decimal(20), max_price_jump=None)
    async with running(tmp_path / "d.sqlite", at_market(limits, max_deals=3)) as bench:
        await bench.enter()
        await bench.orchestrator.process_market_tick(
            {"symbol": PAIR, "timestamp": bench.now_ms, "last": "7", "info": {}}
        )
        decision = await bench.buy()
        assert not decision.taken
        assert "max_daily_loss: lost 30" in decision.because


async def test_the_days_loss_survives_a_restart_and_ends_with_the_day(tmp_path: Path) -> None:
    limits = RiskLimits(max_daily_loss=Decimal(20))
    plan = at_market(limits)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.enter()
        await bench.price("7.5")
        await bench.sell()
        await bench.update()
        assert bench.permission("engine") == "exits_only"
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.permission("engine") == "exits_only"
        assert bench.engine.risk.loss_today() == Decimal(25)
        moved_to(bench, MIDNIGHT_MS - 1)
        await bench.price("7.5")
        assert not (await bench.buy()).taken
        moved_to(bench, MIDNIGHT_MS)
        await bench.update()
        assert bench.permission("engine") == "active"
        assert bench.engine.state.facts["day"] == "2023-11-15"
        assert bench.engine.risk.loss_today() == 0
        await bench.price("7.5")
        assert (await bench.buy()).taken


async def test_a_day_that_ended_while_nobody_ran_is_over_at_the_start(tmp_path: Path) -> None:
    plan = at_market(RiskLimits(max_daily_loss=Decimal(20)))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.enter()
        await bench.price("7.5")
        await bench.sell()
        await bench.update()
        moved_to(bench, MIDNIGHT_MS + DAY_MS)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.permission("engine") == "active"
        assert bench.engine.state.facts["day"] == "2023-11-16"
        assert bench.engine.state.facts["day_start_equity"] == "975.0"


async def test_a_person_who_resumes_trading_beyond_the_limit_is_stopped_again(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", at_market(RiskLimits(max_daily_loss=Decimal(20)))) as bench:
        await bench.enter()
        await bench.price("7.5")
        await bench.update()
        await bench.orchestrator.apply("permission", "engine", "resumed")
        assert bench.permission("engine") == "active"
        await bench.update()
        assert bench.permission("engine") == "exits_only"


def test_a_given_clock_refuses_to_go_back() -> None:
    clock = GivenClock(5)
    clock.set(5)
    with pytest.raises(ValueError, match="cannot go back to 4"):
        clock.set(4)
