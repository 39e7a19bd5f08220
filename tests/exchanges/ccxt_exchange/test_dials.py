"""How often a dead exchange is dialled, and how soon one that is back."""

import asyncio

import pytest

from services.exchanges.ccxt_exchange import dials
from services.exchanges.ccxt_exchange.dials import Dials
from services.tasks import end_tasks


async def test_all_streams_of_one_connection_have_one_turn() -> None:
    made, gone = Dials(), []

    async def stream(name: str) -> None:
        await made.turn("wss://one", 1)
        gone.append(name)

    first = asyncio.create_task(stream("BTC"))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(stream(name)) for name in ("ETH", "SOL")]
    await first
    await asyncio.sleep(0)
    assert gone == ["BTC", "ETH", "SOL"]
    await asyncio.gather(*others)


async def test_a_turn_comes_soon_however_often_it_came_in_vain() -> None:
    loop = asyncio.get_running_loop()
    for failures in (1, 5, 10_000):
        began_s = loop.time()
        await Dials().turn("wss://one", failures)
        assert loop.time() - began_s < dials.PAUSE_MAX_S + 0.5


async def test_five_hundred_connections_to_a_dead_exchange_are_few_dials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 2 * dials.TURNS_PER_S * 300 <= 300
    monkeypatch.setattr(dials, "PAUSE_MAX_S", 0.05)
    monkeypatch.setattr(dials, "PAUSE_MIN_S", 0.05)
    monkeypatch.setattr(dials, "TURNS_PER_S", 20)
    made, gone = Dials(), []

    async def stream(number: int) -> None:
        while True:
            await made.turn(f"wss://{number}", 1)
            gone.append(number)

    tasks = [asyncio.create_task(stream(number)) for number in range(500)]
    await asyncio.sleep(1.0)
    assert 5 <= len(gone) <= 25
    assert len(set(gone)) == len(gone), "each has its turn before one has a second"
    gone.clear()
    made.hurry()
    await asyncio.sleep(0)
    assert set(gone) == set(range(500))
    await end_tasks(tasks)


async def test_what_was_refused_waits_longer_and_is_hurried_by_an_exchange_that_is_back_alone() -> None:
    made = Dials()
    waiting = asyncio.create_task(made.refused_turn("BTC/USDT", 100, 30.0))
    await asyncio.sleep(0.01)
    made.hurry(even_refused=False)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    made.hurry()
    async with asyncio.timeout(1):
        await waiting
