"""Too deep a fall below the highest equity halts the engine until a person resumes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from fsm.permission import RESUMED
from persistence.store import SqliteStore
from persistence.verification import verify
from services.drawdown import EQUITY_PEAK
from services.messages import Balance, RiskLimits
from services.risk_management import next_day_ms
from tests.services.bench import Bench, Plan, market_rules, running, started
from tests.services.desks import ScriptedDesk
from tests.services.reports import QUOTE, closed, trade

FOUR_PERCENT = RiskLimits(max_drawdown=Decimal("0.04"))


def plan_of(limits: RiskLimits = FOUR_PERCENT) -> Plan:
    return Plan(ScriptedDesk(), market_rules(max_deals=5), limits)


@asynccontextmanager
async def holding_ten(path: Path, plan: Plan) -> AsyncIterator[Bench]:
    """Ten coins at 10 each of the 1000 there are: each unit of price is one percent of equity."""
    async with running(path, plan) as bench:
        await bench.price("10")
        bench.desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
        assert (await bench.buy()).taken
        await bench.update()
        yield bench


async def move(bench: Bench, price: str) -> None:
    """The price comes, and what it is cause for happens."""
    await bench.price(price)
    await bench.update()


async def test_a_fall_to_the_limit_halts_the_engine_and_less_does_not(tmp_path: Path) -> None:
    async with holding_ten(tmp_path / "d.sqlite", plan_of()) as bench:
        await move(bench, "6.01")
        assert bench.permission("engine") == "active"
        await bench.price("6")
        decision = await bench.buy()
        assert "max_drawdown: 4.0000% below the highest equity of 1000, limit 4.0000%" in decision.because
        await bench.update()
        assert bench.permission("engine") == "halted"
        halted = bench.engine.state.permission("engine")
        assert halted.reason == "max_drawdown: 4.0000% below the highest equity of 1000, limit 4.0000%"
        assert halted.due_at_ms is None
        assert "engine is halted: max_drawdown" in (await bench.buy()).because


async def test_the_fall_is_from_the_highest_equity_not_from_the_first(tmp_path: Path) -> None:
    async with holding_ten(tmp_path / "d.sqlite", plan_of()) as bench:
        await move(bench, "20")
        assert bench.engine.state.facts[EQUITY_PEAK] == "1100"
        await move(bench, "15.5")
        assert bench.permission("engine") == "halted"


async def test_the_peak_outlasts_a_restart(tmp_path: Path) -> None:
    plan, path = plan_of(), tmp_path / "d.sqlite"
    async with holding_ten(path, plan):
        pass
    plan.desk.balances[QUOTE] = Balance(Decimal(900))
    with SqliteStore.open(path) as store:
        bench = await started(plan, store)
        await move(bench, "5.9")
        assert bench.permission("engine") == "halted"
    assert verify(path).is_whole


async def test_no_new_day_lifts_it_and_who_resumes_begins_a_new_drawdown(tmp_path: Path) -> None:
    async with holding_ten(tmp_path / "d.sqlite", plan_of()) as bench:
        await move(bench, "5")
        await bench.wait((next_day_ms(bench.now_ms) - bench.now_ms) / 1000 + 1)
        assert bench.permission("engine") == "halted"
        await bench.orchestrator.apply("permission", "engine", RESUMED)
        await bench.update()
        assert bench.permission("engine") == "active"
        assert bench.engine.state.facts[EQUITY_PEAK] == "950"
        await move(bench, "1")
        assert bench.permission("engine") == "halted"


async def test_exits_go_on_while_it_is_halted(tmp_path: Path) -> None:
    async with holding_ten(tmp_path / "d.sqlite", plan_of()) as bench:
        await move(bench, "5")
        await bench.sell()
        assert bench.desk.requests[-1].side == "sell"


async def test_without_a_limit_nothing_is_watched_nor_kept(tmp_path: Path) -> None:
    async with holding_ten(tmp_path / "d.sqlite", plan_of(RiskLimits())) as bench:
        await move(bench, "0.1")
        assert bench.permission("engine") == "active"
        assert EQUITY_PEAK not in bench.engine.state.facts
