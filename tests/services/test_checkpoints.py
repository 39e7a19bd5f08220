"""What an engine had learnt of its market is in its checkpoint: a start with it is warm, without it cold."""

from decimal import Decimal
from pathlib import Path

import pytest

from fsm.commit import Progress
from services.clocks import GivenClock
from services.resumption import checkpoint_of
from tests.services.bench import NOW_MS, Bench, Plan, SmaCross, market_rules, running
from tests.services.desks import MarketDesk, ScriptedDesk
from tests.services.reports import PAIR


def save(bench: Bench) -> None:
    checkpoint = checkpoint_of(bench.orchestrator, PAIR)
    bench.engine.state.save_progress(Progress(bench.now_ms, checkpoints={PAIR: checkpoint}))


async def test_the_high_under_which_a_trailing_stop_hangs_survives(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(MarketDesk(clock), market_rules(trailing_stop=Decimal("0.1")), clock=clock)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.enter()
        await bench.price("20")
        save(bench)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        deal = bench.position().id
        await bench.price("18.01")
        assert bench.position().state == "open"
        await bench.price("18")
        assert (bench.position(deal).exit_reason, bench.position(deal).high_water) == (
            "trailing_stop",
            Decimal(20),
        )


async def test_indicators_are_warm_after_a_start(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(MarketDesk(clock), market_rules(), clock=clock, strategy=SmaCross())
    path = tmp_path / "d.sqlite"
    async with running(path, plan) as bench:
        assert bench.resumption.cold_symbols == (PAIR,)
        for price in ("10", "9.9", "9.8", "9.7", "9.6"):
            await bench.price(price)
        save(bench)
    async with running(path, plan) as bench:
        assert bench.resumption.cold_symbols == ()
        await bench.price("10.5")
        assert bench.position().reason.startswith("score +1")


async def test_indicators_without_a_checkpoint_start_cold_and_trade_nothing_yet(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(MarketDesk(clock), market_rules(), clock=clock, strategy=SmaCross())
    async with running(tmp_path / "d.sqlite", plan) as bench:
        for price in ("10", "9.9", "9.8", "9.7", "9.6"):
            await bench.price(price)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.resumption.cold_symbols == (PAIR,)
        await bench.price("10.5")
        assert plan.desk.calls == []
        assert "not warmed up" in bench.engine.signals.why_not(PAIR)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"market":{},"signals":{},"highs":{}}', "null", "\x00"])
async def test_a_checkpoint_that_cannot_be_used_is_reported_and_the_start_goes_on(
    tmp_path: Path, text: str, logged: list[dict[str, object]]
) -> None:
    plan = Plan(ScriptedDesk())
    async with running(tmp_path / "d.sqlite", plan) as bench:
        bench.engine.state.save_progress(Progress(bench.now_ms, checkpoints={PAIR: text}))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        assert bench.resumption.cold_symbols == (PAIR,)
        assert [line["symbol"] for line in logged if line.get("event") == "checkpoint_unusable"] == [PAIR]
        await bench.price("10")
        assert (await bench.buy()).taken
