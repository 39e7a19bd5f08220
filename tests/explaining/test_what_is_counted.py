"""Every refusal of an entry is counted under the guard that made it, on the real services and the real store."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from fsm.refusals import Refusal
from services.assessment import Assessor, entry_verdicts
from services.messages import PairRules, RiskLimits
from tests.services.bench import Bench, Plan, limit_rules, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import PAIR, closed, trade


def plan_of(rules: PairRules | None = None, limits: RiskLimits | None = None) -> Plan:
    return Plan(ScriptedDesk(), rules or market_rules(), limits or RiskLimits())


def counted(bench: Bench) -> dict[str, tuple[int, str]]:
    kept: list[Refusal] = bench.engine.state.refusals.all()
    assert {refusal.symbol for refusal in kept} <= {PAIR}
    return {refusal.guard: (refusal.count, refusal.because) for refusal in kept}


async def fill_an_entry(bench: Bench) -> None:
    bench.desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
    assert (await bench.buy()).taken


async def test_a_signal_that_a_risk_check_refuses_is_counted_under_the_check(tmp_path: Path) -> None:
    async with running(
        tmp_path / "d.sqlite", plan_of(limits=RiskLimits(max_spread=Decimal("0.003")))
    ) as bench:
        await bench.price("10", bid="9.98", ask="10.02")
        for _ in range(5):
            assert not (await bench.buy()).taken
        assert counted(bench) == {"max_spread": (5, "0.4000%, limit 0.3000%")}


async def test_a_signalled_pair_with_a_stale_price_is_counted_at_each_reconsideration(tmp_path: Path) -> None:
    """Its price comes late: what the tick brings is older than the limit by the time that it is decided on."""
    plan = plan_of(replace(market_rules(), signal_expires_s=3600), RiskLimits(stale_after_s=30))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        await bench.wait(31)
        assert (await bench.buy()).taken
        late_ms = bench.now_ms - 31_000
        for seconds in range(7):
            await bench.orchestrator.process_market_tick(
                {"symbol": PAIR, "timestamp": late_ms + seconds, "last": "10", "info": {}}
            )
        count, because = counted(bench)["price_is_fresh"]
        assert (count, because) == (8, "30994 ms old, limit 30000 ms")
        assert bench.pair().state == "signalled"


async def test_what_is_accepted_is_not_counted(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", plan_of()) as bench:
        await bench.price("10")
        await fill_an_entry(bench)
        await bench.sell()
        assert counted(bench) == {}


async def test_a_signal_while_one_is_in_flight_is_counted_as_such(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", plan_of(limit_rules())) as bench:
        await bench.price("10")
        assert (await bench.buy()).taken
        assert not (await bench.buy()).taken
        assert counted(bench) == {"no_entry_in_flight": (1, "one entry of this pair is in flight already")}


async def test_repeated_stopped_and_cooling_down_each_refuse_under_their_guard(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", plan_of(replace(market_rules(), cooldown_s=60))) as bench:
        await bench.price("10")
        bench.desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
        await bench.orchestrator.handle_buy_signal({"id": "once", "symbol": PAIR})
        await bench.settle()
        await bench.orchestrator.handle_buy_signal({"id": "once", "symbol": PAIR})
        await bench.sell()
        leaving = bench.position().exit_order_id
        await bench.hear(closed(leaving, trade("f2", leaving, "10", side="sell")))
        assert not (await bench.buy()).taken
        await bench.orchestrator.quarantine(PAIR, "a person wants to look")
        assert not (await bench.buy()).taken
        assert counted(bench) == {
            "signal_is_new": (1, "signal once was offered before"),
            "cooldown_is_over": (1, "60 s left"),
            "entry_is_permitted": (1, f"{PAIR} is halted: a person wants to look"),
        }


async def test_an_assessment_asks_every_guard_though_the_first_fails(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", plan_of()) as bench:
        before_any_price = entry_verdicts(bench.orchestrator, PAIR, bench.now_ms)
        assert [v.guard for v in before_any_price if not v.holds] == ["a_signal_was_given", "price_is_fresh"]
        await bench.price("10")
        await bench.orchestrator.quarantine(PAIR, "why not")
        verdicts = {v.guard: v for v in entry_verdicts(bench.orchestrator, PAIR, bench.now_ms)}
        assert not verdicts["entry_is_permitted"].holds
        checks = [verdict.guard for verdict in bench.engine.risk.verdicts(PAIR, bench.now_ms)]
        assert set(checks) < set(verdicts)
        assert all(verdicts[check].holds for check in checks)
        assert bench.engine.state.refusals.all() == []


async def test_a_verdict_is_dated_by_when_it_turned_also_across_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", plan_of()) as bench:
        await bench.price("10")
        assessor, began_ms = Assessor(bench.orchestrator), bench.now_ms
        assessor.assess([PAIR], began_ms)
        await bench.orchestrator.quarantine(PAIR, "why not")
        assessor.assess([PAIR], began_ms + 1000)
        (saved,) = assessor.assess([PAIR], began_ms + 2000)
        restarted = Assessor(bench.orchestrator)
        restarted.restore([saved])
        (after,) = restarted.assess([PAIR], began_ms + 9000)
        since = {answer.verdict.guard: answer.since_ms for answer in after.answers}
        assert since["entry_is_permitted"] == began_ms + 1000
        assert since["balance"] == began_ms
        assert after.at_ms == began_ms + 9000
