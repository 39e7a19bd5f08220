"""A thousand swaps under load: no tick lost, no position touched, the deals of a run that never swapped."""

import asyncio
from itertools import cycle
from pathlib import Path

from services.swapping import Swapped, Terms
from tests.strategies.files import QUICK, weighted, written
from tests.strategies.trading import Trading, choice, trading, walk

COINS = ("BTC", "ETH", "SOL")
SWAPS = 1_000
LENGTH = 1_050
TERMS = Terms(shadow_samples=1, probation_samples=3)


async def test_a_thousand_swaps_under_load_bring_the_deals_of_none(tmp_path: Path) -> None:
    names = [
        written(tmp_path / "one.py", ('name = "one"', 'name = "mine"')),
        written(tmp_path / "two.py", ('name = "two"', 'name = "mine"')),
    ]
    prices = {coin: walk(seed, LENGTH) for seed, coin in enumerate(COINS)}
    choices = {f"{coin}/USDT": choice(names[0], **QUICK) for coin in COINS}
    swapped: list[Swapped] = []

    async with trading(tmp_path / "quiet.sqlite", choices, recent_samples=60) as quiet:
        await _play(quiet, prices)
        expected, samples = quiet.deals(), _samples(quiet)

    async with trading(tmp_path / "busy.sqlite", choices, recent_samples=60) as busy:
        swapping = [
            asyncio.create_task(_swap_again_and_again(busy, f"{coin}/USDT", names, swapped)) for coin in COINS
        ]
        await _play(busy, prices)
        for task in swapping:
            task.cancel()
        await asyncio.gather(*swapping, return_exceptions=True)
        found = busy.deals()
        assert _samples(busy) == samples
        assert busy.engine.state.metrics.ticks == LENGTH * len(COINS)
        assert busy.engine.state.metrics.anomalies == 0

    assert len(expected) > 30
    assert found == expected
    assert len(swapped) >= SWAPS
    assert all(one.taken for one in swapped), next(one for one in swapped if not one.taken)


async def _play(engine: Trading, prices: dict[str, list[str]]) -> None:
    for number in range(LENGTH):
        await engine.tick(**{coin: prices[coin][number] for coin in COINS})


async def _swap_again_and_again(
    engine: Trading, symbol: str, names: list[str], swapped: list[Swapped]
) -> None:
    for name in cycle(reversed(names)):
        swapped.append(await engine.swapper.swap(symbol, weighted(name), TERMS))


def _samples(engine: Trading) -> list[int]:
    return [engine.engine.market.market(f"{coin}/USDT").samples for coin in COINS]
