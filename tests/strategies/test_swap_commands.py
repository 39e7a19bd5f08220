"""The command `swap` within the engine: refused whole, or put on trial; what is open is sold only when told."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dirigent.configuration.sections import PairSection
from dirigent.configuration.settings import Settings
from dirigent.steering.plans import Result
from dirigent.swapping.kept import kept_choices
from dirigent.swapping.listing import running
from dirigent.swapping.swaps import Swaps
from fsm.permission import ENGINE_SUBJECT
from persistence.commands import Command
from services.strategy_changes import fact_name
from services.turns.turn import Turn
from tests.strategies.files import written
from tests.strategies.trading import PAIR, Trading, choice, trading


def command(**arguments: Any) -> Command:
    return Command("c1", "swap", {"symbols": [PAIR], "shadow": 2, **arguments}, "somebody", 0)


async def given(engine: Trading, swaps: Swaps, one: Command) -> Result:
    """As the engine carries a command out: its work in one turn, then what follows."""
    plan = await swaps.command(one)
    results: list[Result] = []

    def work(turn: Turn) -> None:
        results.append(plan.work(turn))
        engine.engine.orchestrator.run(turn)

    assert await engine.engine.orchestrator.transact(plan.symbol or ENGINE_SUBJECT, work)
    plan.then()
    return results[0]


def swaps_of(engine: Trading, settings: Settings) -> Swaps:
    return Swaps(engine.engine, lambda: settings)


@asynccontextmanager
async def warm(folder: Path) -> AsyncIterator[tuple[Trading, Swaps]]:
    """An engine that decides nothing by itself and has seen enough prices for any strategy."""
    async with trading(folder / "a.sqlite", {PAIR: choice("external")}) as engine:
        await engine.play(["100"] * 30)
        swaps = swaps_of(engine, SETTINGS)
        yield engine, swaps
        await swaps.end()


SETTINGS = Settings(pairs=(PairSection(symbol=PAIR, strategy=(choice("external"),)),))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"strategy": "mcd"}, "no such strategy"),
        ({"strategy": "macd", "params": {"fast": 99}}, "fast = 99 is not below slow = 26"),
        ({"strategy": "/gone.py"}, "/gone.py: no such file"),
        ({"strategy": "macd", "symbols": [PAIR, "DOGE/USDT"]}, "not traded: DOGE/USDT"),
    ],
)
async def test_what_cannot_be_is_refused_whole(
    tmp_path: Path, arguments: Mapping[str, Any], words: str
) -> None:
    async with trading(tmp_path / "a.sqlite", {PAIR: choice("external")}) as engine:
        result = await given(engine, swaps_of(engine, SETTINGS), command(**arguments))
        assert result.outcome == "refused"
        assert words in result.words
        assert engine.engine.state.facts.get(f"swap wanted: {PAIR}") is None


@pytest.mark.parametrize(("exits", "open_after"), [("keep", 1), ("sell", 0)])
async def test_open_positions_stay_unless_it_was_said_that_they_go(
    tmp_path: Path, exits: str, open_after: int
) -> None:
    name = written(tmp_path / "mine.py")
    async with warm(tmp_path) as (engine, swaps):
        await engine.engine.orchestrator.handle_buy_signal({"id": "one", "symbol": PAIR})
        await engine.play(["100"])
        result = await given(engine, swaps, command(strategy=name, exits=exits))
        assert result.words.startswith("on trial for 2 prices beside what trades: BTC/USDT")
        assert engine.engine.state.facts[f"swap wanted: {PAIR}"]
        await engine.play(["100"] * 8)
        assert "swapped for mine" in engine.notes()[0]
        assert len(engine.engine.state.working.positions) == open_after
        assert engine.engine.state.facts[f"swap wanted: {PAIR}"] == ""
        kept = kept_choices(SETTINGS, engine.engine.state.facts)
        assert kept.choices[PAIR][0].name == name


async def test_the_list_names_what_is_on_trial_until_its_end(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    async with warm(tmp_path) as (engine, swaps):
        await given(engine, swaps, command(strategy=name))
        (row,) = running(engine.store.path)
        assert row["strategy"] == "external"
        assert row["notes"] == f"on trial for 2 prices, by person somebody (command c1): {name}"
        await engine.play(["100"] * 8)
        (row,) = running(engine.store.path)
        assert (row["strategy"], row["notes"]) == ("mine", "")


async def test_the_configured_ones_come_back_by_name(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    async with warm(tmp_path) as (engine, swaps):
        for strategy, is_kept in ((name, True), ("configured", False)):
            await given(engine, swaps, command(strategy=strategy))
            await engine.play(["100"] * 8)
            assert bool(engine.engine.state.facts[fact_name(PAIR)]) is is_kept
        assert '"name":"external"' in engine.described()


async def test_what_is_kept_of_a_swap_ends_with_its_configuration_or_its_file(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    async with warm(tmp_path) as (engine, swaps):
        await given(engine, swaps, command(strategy=name))
        await engine.play(["100"] * 8)
        facts = dict(engine.engine.state.facts)
        other = Settings(pairs=(PairSection(symbol=PAIR, strategy=(choice("macd"),)),))
        assert "names other strategies" in kept_choices(other, facts).dropped[PAIR]
        (tmp_path / "mine.py").unlink()
        assert "no such file" in kept_choices(SETTINGS, facts).dropped[PAIR]
