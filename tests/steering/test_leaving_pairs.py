"""Pairs that only leave, under the commands that speak of entries: what is told is what holds."""

from pathlib import Path

from fsm.permission import ACTIVE, HALTED
from tests.steering.cockpit import BTC, ETH, cockpit
from tests.steering.test_pairs import EXTERNAL, priced

AGAIN = {**EXTERNAL, "symbol": BTC}


async def test_a_removed_pair_is_not_resumed_whatever_stopped_it_last(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.command("pairs-remove", symbol=BTC)
        await held.command("halt", symbol=BTC, reason="news")
        answer = await held.command("resume", symbol=BTC)
        assert answer.outcome == "refused"
        assert f"it is not traded: `dirigent pairs add {BTC}` brings it back" in answer.words
        assert held.permission(BTC) == HALTED


async def test_a_pair_that_was_halted_and_then_removed_is_not_resumed(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.command("halt", symbol=BTC)
        await held.command("pairs-remove", symbol=BTC)
        assert (await held.command("resume", symbol=BTC)).outcome == "refused"
    async with cockpit(tmp_path, now_ms=1_700_000_100_000) as held:
        assert (await held.command("resume", symbol=BTC)).outcome == "refused"


async def test_a_pair_that_comes_back_and_is_still_halted_says_so(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.command("halt", symbol=BTC, reason="news")
        await held.command("pairs-remove", symbol=BTC)
        answer = await held.command("pairs-add", pairs=[AGAIN])
        assert answer.outcome == "done"
        assert f"{BTC} stays halted: Ada: news; `dirigent resume {BTC}` lifts it" in answer.words
        assert (await held.command("resume", symbol=BTC)).words == f"active: {BTC}"
        await held.tick(BTC, "100")
        assert await held.buy(BTC, "one")


async def test_resume_all_gives_back_what_is_traded_and_names_what_is_not(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.command("pairs-remove", symbol=BTC)
        await held.command("halt", symbol=ETH)
        answer = await held.command("resume", symbol="all")
        assert (answer.outcome, held.permission(ETH)) == ("done", ACTIVE)
        assert answer.words.startswith(f"active: {ETH}; {BTC} is exits_only")


async def test_a_swap_of_all_pairs_leaves_those_alone_that_only_leave(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.buy(BTC, "one")
        await held.command("pairs-remove", symbol=BTC)
        answer = await held.command("swap", symbols=["all"], strategy="macd")
        assert answer.outcome == "done"
        assert answer.words.startswith("on trial for ")
        assert f": {ETH};" in answer.words
