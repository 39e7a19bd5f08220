"""Beyond so many orders in a minute entries wait; exits never do."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dirigent.recalling import recall
from persistence.store import SqliteStore
from services.assessment import Assessor
from services.clocks import GivenClock
from services.messages import RiskLimits
from services.order_rate import WINDOW_MS, OrderRate
from tests.services.bench import Bench, Plan, assemble, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import closed, trade


async def deal(bench: Bench, number: int) -> None:
    """One whole deal: two orders."""
    bench.desk.creates.append(lambda of: closed(of, trade(f"b{number}", of, "10")))
    assert (await bench.buy()).taken
    bench.desk.creates.append(lambda of: closed(of, trade(f"s{number}", of, "10", side="sell")))
    await bench.sell()
    await bench.update()


async def test_entries_wait_at_the_limit_and_exits_do_not(tmp_path: Path) -> None:
    rules = replace(market_rules(), signal_expires_s=600)
    plan = Plan(ScriptedDesk(), rules, RiskLimits(max_orders_per_minute=3, stale_after_s=600))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        await deal(bench, 1)
        await bench.wait(10)
        await deal(bench, 2)
        assert len(bench.desk.requests) == 4
        decision = await bench.buy()
        assert "max_orders_per_minute: 4/3 orders in the last minute, 50 s to wait" in decision.because
        await bench.wait(49.999)
        assert not (await bench.buy()).taken
        await bench.wait(0.001)
        assert (await bench.buy()).taken


async def test_the_orders_of_the_last_minute_outlast_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    plan = Plan(ScriptedDesk(), market_rules(), RiskLimits(stale_after_s=600))
    async with running(path, plan) as bench:
        await bench.price("10")
        await deal(bench, 1)
        await bench.wait(40)
        await deal(bench, 2)
        await bench.buy()
    assert isinstance(plan.clock, GivenClock)
    plan.clock.set(bench.now_ms + 25_000)
    with SqliteStore.open(path) as store:
        engine = assemble(plan, store)
        recall(engine, Assessor(engine.orchestrator), store, store.load())
        assert engine.state.order_rate.count(bench.now_ms) == 3


@given(st.lists(st.integers(0, 200_000), max_size=60), st.integers(1, 20))
def test_the_wait_that_is_told_is_the_shortest_that_helps(moments: list[int], limit: int) -> None:
    now_ms = 100_000
    rate = OrderRate()
    rate.restore(moments, now_ms)
    assert rate.count(now_ms) == sum(now_ms - WINDOW_MS < moment <= now_ms for moment in moments)
    wait_ms = rate.below_in_ms(limit, now_ms)
    if wait_ms:
        assert rate.count(now_ms + wait_ms - 1) >= limit
    assert rate.count(now_ms + wait_ms) < limit
