"""A swap: validated, warmed up, tried in shadow, seated between two prices, journaled; refused, it changes nothing."""

import asyncio
import json
from pathlib import Path

import pytest

from services.signal_aggregation import WeightedStrategy
from services.strategies.catalogue import create
from services.swapping import Swapped, Terms
from tests.strategies.files import QUICK, that_first, weighted, written
from tests.strategies.trading import PAIR, START_MS, Trading, choice, trading, walk

SOON = Terms(shadow_samples=3, probation_samples=20, by="a test")
PRICES = walk(7, 400)


async def swapped(
    engine: Trading, name: str, prices: list[str], terms: Terms = SOON, **params: object
) -> Swapped:
    """The end of a swap during which these prices come."""
    task = asyncio.create_task(engine.swapper.swap(PAIR, weighted(name, params or QUICK), terms))
    await engine.play(prices)
    return await engine.ended(task)


async def test_a_swap_is_journaled_with_both_sources_and_how_it_was_tried(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("sma_cross")}) as engine:
        await engine.play(PRICES[:50])
        old = json.loads(engine.described())[0]
        end = await swapped(engine, name, PRICES[50:54])
        (new,) = json.loads(engine.described())
        assert end.taken, end.because
        assert new["name"] == "mine"
        assert new["file"] == name
        assert new["source"] != old["source"]
        (note,) = engine.notes()
        assert f"[{old['source']}] swapped for mine(period=5" in note
        assert f"[{new['source']}] by a test; warmed up on 51 samples, 3 in shadow" in note


async def test_a_swapped_strategy_trades_as_one_that_was_there_from_the_start(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    async with trading(tmp_path / "a.sqlite", {PAIR: choice(name, **QUICK)}) as always:
        await always.play(PRICES)
        expected = [deal for deal in always.deals() if deal[2] > START_MS + 104_000]
    async with trading(tmp_path / "b.sqlite", {PAIR: choice("external")}) as late:
        await late.play(PRICES[:100])
        assert (await swapped(late, name, PRICES[100:104])).taken
        await late.play(PRICES[104:])
        found = late.deals()
    assert len(found) > 5
    assert found[-5:] == expected[-5:]


async def test_in_shadow_nothing_is_traded(tmp_path: Path) -> None:
    eager = written(tmp_path / "eager.py", that_first('return Vote(Side.BUY, 1.0, "always")'))
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("external")}) as engine:
        await engine.play(PRICES[-10:])
        task = asyncio.create_task(
            engine.swapper.swap(PAIR, weighted(eager), Terms(shadow_samples=50, probation_samples=5))
        )
        await engine.play(PRICES[:50])
        assert engine.deals() == []
        await engine.play(PRICES[50:52])
        assert "50 in shadow with 50 votes, 49 unlike the old" in (await engine.ended(task)).because
        await engine.play(PRICES[52:54])
        assert len(engine.deals()) == 1


async def test_an_old_one_trades_until_the_new_one_is_warm(tmp_path: Path) -> None:
    """Nothing of the past is kept here, so it takes the samples it needs before its trial ends."""
    name = written(tmp_path / "mine.py")
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("external")}, recent_samples=0) as engine:
        task = asyncio.create_task(engine.swapper.swap(PAIR, weighted(name, {"period": 30}), SOON))
        await engine.play(PRICES[:31])
        assert not task.done()
        await engine.play(PRICES[31:35])
        assert (await engine.ended(task)).taken


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (that_first("raise ZeroDivisionError('by zero')"), "raised ZeroDivisionError: by zero"),
        (that_first("return 'buy'"), "gave 'buy', neither a vote nor None"),
        (that_first("return Vote(Side.BUY, 7.0, 'much')"), "strength 7.0 is not between 0 and 1"),
        (that_first("return Vote(Side.BUY, 1.0, None)"), "the reason of a vote is no text"),
        (('return {"side": self._side}', 'return {"side": "left"}'), "side: expected -1, 0 or 1, got 'left'"),
        (('return {"side": self._side}', 'return {"side": {1}}'), "it gives no state that could be saved"),
    ],
)
async def test_what_fails_before_it_trades_is_refused_and_the_old_one_trades_on(
    tmp_path: Path, change: tuple[str, str], fault: str
) -> None:
    broken = written(tmp_path / "broken.py", change)
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("sma_cross")}) as engine:
        await engine.play(PRICES[:40])
        before, updates = engine.described(), engine.engine.market.indicators(PAIR).updates
        end = await swapped(engine, broken, PRICES[40:50])
        assert not end.taken
        assert fault in end.because
        assert engine.notes() == [end.because]
        assert engine.described() == before
        assert engine.permission() == "active"
        assert engine.engine.market.indicators(PAIR).updates == updates
        assert engine.engine.signals.bench.seats == {}


async def test_one_that_fails_in_shadow_is_refused(tmp_path: Path) -> None:
    lost = that_first(f"if tick.at_ms == {START_MS + 42_000}:", "    raise RuntimeError('lost')")
    name = written(tmp_path / "late.py", lost)
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("sma_cross")}) as engine:
        await engine.play(PRICES[:40])
        end = await swapped(engine, name, PRICES[40:44])
        assert not end.taken
        assert "raised RuntimeError: lost" in end.because
        assert engine.permission() == "active"


async def test_a_later_swap_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one.py"), written(tmp_path / "two.py")
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("external")}) as engine:
        await engine.play(PRICES[:20])
        first = asyncio.create_task(engine.swapper.swap(PAIR, weighted(one), SOON))
        await engine.play(PRICES[20:21])
        second = asyncio.create_task(engine.swapper.swap(PAIR, weighted(two), SOON))
        await engine.play(PRICES[21:26])
        assert "a later swap took its place" in (await engine.ended(first)).because
        assert (await engine.ended(second)).taken
        assert json.loads(engine.described())[0]["name"] == "two"


@pytest.mark.parametrize("prices_before", [0, 1], ids=["warming up", "in shadow"])
async def test_a_trial_ends_when_its_pair_gets_other_strategies_at_once(
    tmp_path: Path, prices_before: int
) -> None:
    """By a reload, or the pair's removal: what was asked for later counts."""
    one, two = written(tmp_path / "one.py"), written(tmp_path / "two.py")
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("external")}) as engine:
        await engine.play(PRICES[:100])
        swap = asyncio.create_task(engine.swapper.swap(PAIR, weighted(one), SOON))
        await asyncio.sleep(0)
        await engine.play(PRICES[100 : 100 + prices_before])
        engine.engine.signals.replace(PAIR, weighted(two))
        end = await engine.ended(swap)
        assert not end.taken
        assert "the pair got other strategies meanwhile" in engine.notes()[-1]
        await engine.play(PRICES[101:120])
        (trading_now,) = engine.engine.signals.strategies_of(PAIR)
        assert trading_now.strategy.name == "two"
        assert not engine.engine.signals.bench.seats


async def test_an_open_position_keeps_its_rules_through_a_swap(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("external")}) as engine:
        await engine.play(["100"] * 6)
        decision = await engine.engine.orchestrator.handle_buy_signal({"id": "one", "symbol": PAIR})
        assert decision.taken
        await engine.tick(BTC="100")
        (before,) = [position.copy() for position in engine.engine.state.working.positions.values()]
        assert (await swapped(engine, name, ["100.1", "99.9", "100.1", "99.9"])).taken
        (after,) = engine.engine.state.working.positions.values()
        assert after == before
        await engine.tick(BTC="98")
        (deal,) = engine.deals()
        assert deal[4] == "stop_loss"


async def test_indicators_that_nobody_needs_any_more_are_gone(tmp_path: Path) -> None:
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("external")}) as engine:
        bare = engine.engine.market.indicators(PAIR).updates
        await engine.play(PRICES[:30])
        for name in ("sma_cross", "macd", "external"):
            made = [WeightedStrategy(create(name))]
            task = asyncio.create_task(engine.swapper.swap(PAIR, made, SOON))
            await engine.play(PRICES[30:70])
            assert (await engine.ended(task)).taken
        assert engine.engine.market.indicators(PAIR).updates == bare
