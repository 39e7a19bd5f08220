"""When what was swapped in fails, its predecessor trades on with that very price; without one the pair is suspended."""

import asyncio
from pathlib import Path

import pytest

from dirigent.swapping.hanging import hanging_strategies_broken_off
from fsm.permission import RESUMED
from services.strategies import budget
from services.swapping import Terms
from tests.strategies.files import QUICK, that_first, weighted, written
from tests.strategies.trading import PAIR, START_MS, Trading, choice, trading, walk

PRICES = walk(7, 400)
FATAL_MS = START_MS + 151_000


async def swap(engine: Trading, name: str, prices: list[str], probation: int) -> None:
    terms = Terms(shadow_samples=2, probation_samples=probation)
    task = asyncio.create_task(engine.swapper.swap(PAIR, weighted(name), terms))
    await engine.play(prices)
    assert (await engine.ended(task)).taken


def failing(path: Path, *then: str) -> str:
    """The template that fails at one price."""
    return written(path, ('name = "new"', 'name = "old"'), that_first(f"if tick.at_ms == {FATAL_MS}:", *then))


@pytest.mark.parametrize("probation", [300, 5], ids=["while the old one watches", "long after it has gone"])
@pytest.mark.parametrize(
    ("then", "fault"),
    [
        ("    raise RuntimeError('lost')", "raised RuntimeError: lost"),
        ("    return 42", "gave 42, neither a vote nor None"),
    ],
)
async def test_the_old_one_trades_on_as_if_the_new_one_had_never_been(
    tmp_path: Path, probation: int, then: str, fault: str
) -> None:
    old = written(tmp_path / "old.py")
    new = failing(tmp_path / "new.py", then)
    async with trading(tmp_path / "a.sqlite", {PAIR: choice(old, **QUICK)}) as alone:
        await alone.play(PRICES)
        expected = alone.deals()
    async with trading(tmp_path / "b.sqlite", {PAIR: choice(old, **QUICK)}) as engine:
        await engine.play(PRICES[:100])
        before = engine.described()
        await swap(engine, new, PRICES[100:104], probation)
        assert engine.described() != before
        await engine.play(PRICES[104:])
        assert engine.described() == before
        assert engine.permission() == "active"
        assert engine.notes()[1].startswith("rolled back: BTC/USDT: strategy old(period=5")
        assert fault in engine.notes()[1]
        assert engine.deals() == expected
    assert len(expected) > 5


async def test_one_that_is_slow_three_times_in_a_row_is_rolled_back(tmp_path: Path) -> None:
    old = written(tmp_path / "old.py")
    slow = written(
        tmp_path / "slow.py",
        that_first(
            f"if {START_MS + 111_000} <= tick.at_ms <= {START_MS + 113_000}:", "    sum(range(2_000_000))"
        ),
    )
    async with trading(tmp_path / "a.sqlite", {PAIR: choice(old, **QUICK)}, budget_ms=10) as engine:
        await engine.play(PRICES[:100])
        await swap(engine, slow, PRICES[100:104], 50)
        await engine.play(PRICES[104:112])
        assert len(engine.notes()) == 1
        await engine.play(PRICES[112:114])
        assert "of 10 ms, 3 samples in a row" in engine.notes()[1]
        assert engine.permission() == "active"


async def test_without_a_predecessor_a_broken_one_suspends_its_own_pair_alone(tmp_path: Path) -> None:
    broken = failing(tmp_path / "new.py", "    raise RuntimeError('lost')")
    sound = written(tmp_path / "old.py")
    choices = {PAIR: choice(broken, **QUICK), "ETH/USDT": choice(sound, **QUICK)}
    async with trading(tmp_path / "a.sqlite", choices) as engine:
        for price in PRICES[:160]:
            await engine.tick(BTC=price, ETH=price)
        assert engine.permission() == "halted"
        assert "raised RuntimeError: lost" in engine.engine.state.permission(PAIR).reason
        assert engine.permission("ETH/USDT") == "active"
        ended = len([deal for deal in engine.deals() if deal[0] == PAIR])
        for price in PRICES[160:]:
            await engine.tick(BTC=price, ETH=price)
        assert len([deal for deal in engine.deals() if deal[0] == PAIR]) == ended
        assert len([deal for deal in engine.deals() if deal[0] == "ETH/USDT"]) > ended
        assert not [p for p in engine.engine.state.working.positions.values() if p.symbol == PAIR]


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("on_sample", "def on_sample(self, tick: Tick) -> Vote | None:"),
        ("why_not", "def why_not(self) -> str:"),
    ],
)
async def test_one_that_never_comes_back_stops_the_engine_once_and_then_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, first: str
) -> None:
    """Asked at every price it would stop every pair for good, though its own pair alone is suspended."""
    hanging = written(
        tmp_path / "new.py",
        (
            f"    {first}",
            f"    hangs = 0\n\n    {first}\n        self.hangs += 1\n        while True:\n            pass",
        ),
    )
    monkeypatch.setattr(budget, "REST_S", 3600.0)
    async with trading(tmp_path / "a.sqlite", {PAIR: choice(hanging, **QUICK)}, budget_ms=10) as engine:
        signals = engine.engine.signals
        with hanging_strategies_broken_off(0.05):
            for price in PRICES[:20]:
                await engine.tick(BTC=price)
                said = signals.why_not(PAIR)
        (weighted,) = signals.strategies_of(PAIR)
        assert vars(weighted.strategy)["hangs"] == 1
        assert "it did not answer within 50 ms; it is asked again in 3600 s" in said
        assert engine.permission() == ("halted" if method == "on_sample" else "active")


async def test_one_that_was_too_slow_is_asked_again_after_its_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = written(
        tmp_path / "slow.py",
        that_first(f"if tick.at_ms <= {START_MS + 10_000}:", "    sum(range(1_000_000))"),
    )
    monkeypatch.setattr(budget, "REST_S", 0.2)
    async with trading(tmp_path / "a.sqlite", {PAIR: choice(slow, **QUICK)}, budget_ms=2) as engine:
        await engine.play(PRICES[:10])
        assert engine.permission() == "halted"
        assert "samples in a row; it is asked again in" in engine.engine.signals.why_not(PAIR)
        await asyncio.sleep(0.25)
        await engine.play(PRICES[10:40])
        await engine.engine.orchestrator.apply("permission", PAIR, RESUMED)
        await engine.play(PRICES[40:160])
        assert engine.permission() == "active"
        assert engine.deals()


async def test_what_a_broken_one_says_of_itself_harms_nobody(tmp_path: Path) -> None:
    mute = written(
        tmp_path / "mute.py",
        ('return {"side": self._side}', "return {1: object()}"),
        ("        where = {1:", "        raise KeyError('no words')\n        where = {1:"),
    )
    async with trading(tmp_path / "a.sqlite", {PAIR: choice(mute, **QUICK)}) as engine:
        await engine.play(PRICES[:50])
        assert "why_not raised KeyError: 'no words'" in engine.engine.signals.why_not(PAIR)
        assert engine.engine.signals.checkpoint(PAIR) == {}
        assert engine.permission() == "active"
