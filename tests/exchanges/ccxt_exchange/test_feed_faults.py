"""A stream that stalls, breaks or cannot be read is noticed, said and made anew, and costs no other price."""

import asyncio
import json

import pytest
from loguru import logger

from services.exchanges.ccxt_exchange.connections import FAULTY_FRAMES_MAX
from services.exchanges.ccxt_exchange.feeds import Source
from tests.exchanges.ccxt_exchange.following import BTC, ETH, feeds, first_price, price
from tests.exchanges.ccxt_exchange.streams import streams, until


@pytest.mark.parametrize(
    "frame",
    ['{"e": "24hrTicker", "s"', "[]", '{"e": "24hrTicker", "s": null, "c": "1"}'],
    ids=["cut", "empty", "null"],
)
async def test_a_frame_that_cannot_be_read_costs_no_other(frame: str) -> None:
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.send_raw(frame, json.dumps(server.ticker("BTCUSDT", "1")))
        assert await waiting == "1"
        await server.send_raw(frame)
        await server.push("2")
        assert await price(made) == "2"
        assert made.connections.faulty_frames == 2
        assert server.connects == 1


async def test_nothing_but_unreadable_frames_makes_the_connection_anew() -> None:
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.send_raw(*["[]"] * FAULTY_FRAMES_MAX)
        await until(lambda: server.connects == 2)
        await server.subscribed()
        await server.push("1")
        assert await waiting == "1"


async def test_a_stalled_feed_whose_pongs_work_is_noticed_in_time_and_made_anew() -> None:
    async with streams() as server, feeds(server, stale_after_s=0.6) as made:
        server.rest_prices = {"BTCUSDT": "1"}
        assert await first_price(server, made) == "1"
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        server.rest_prices = {"BTCUSDT": "2"}
        assert await price(made) == "2", "the price that was asked for is handed on"
        assert loop.time() - since_s <= 0.6 + 0.2
        (told,) = made.status()
        assert told.is_stale
        assert "silent" in told.fault
        await until(lambda: server.connects == 2)
        await server.subscribed()
        await server.push("3")
        assert await price(made) == "3"
        (told,) = made.status()
        assert not told.is_stale
        assert not told.fault
        assert told.source == Source.STREAM
        assert told.stalls_cured == 1
        assert told.cured_at_ms is not None


async def test_a_stall_with_no_answer_to_questions_is_said_and_made_anew() -> None:
    async with streams() as server, feeds(server, stale_after_s=0.6) as made:
        server.rest_prices = None
        assert await first_price(server, made) == "1"
        await until(lambda: made.status()[0].is_stale)
        await until(lambda: server.connects == 2)


async def test_a_quiet_market_is_no_stall() -> None:
    async with streams() as server, feeds(server, stale_after_s=0.3) as made:
        server.rest_prices = {"BTCUSDT": "1.00"}
        assert await first_price(server, made) == "1"
        for _ in range(3):
            assert await price(made) == "1.00", "the exchange confirms the price that stands still"
            assert not made.status()[0].is_stale
        assert server.connects == 1


async def test_only_the_connection_of_the_stalled_symbol_is_made_anew() -> None:
    async with streams() as server, feeds(server, stale_after_s=0.6) as made:
        waiting = [asyncio.create_task(price(made, symbol)) for symbol in (BTC, ETH)]
        await server.subscribed()
        await server.subscribed(market_id="ETHUSDT")
        kept = made.connections.of(ETH)
        await server.push("1")
        await server.push("1", market_id="ETHUSDT")
        await asyncio.gather(*waiting)
        server.rest_prices = {"BTCUSDT": "2"}
        while server.connects < 3:
            await server.push("5", market_id="ETHUSDT")
            await asyncio.sleep(0.05)
        assert made.connections.of(ETH) is kept
        assert server.connects == 3


async def test_prices_come_again_within_five_seconds_of_a_disconnect() -> None:
    async with streams() as server, feeds(server) as made:
        assert await first_price(server, made) == "1"
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        await server.drop()
        await server.subscribed()
        await server.push("2")
        assert await price(made) == "2"
        assert loop.time() - since_s < 5
        assert server.connects == 2


async def test_a_drop_while_nobody_waits_loses_no_later_price() -> None:
    async with streams() as server, feeds(server) as made:
        assert await first_price(server, made) == "1"
        await server.drop()
        await until(lambda: server.connects == 2)
        await server.subscribed()
        await server.push("2")
        await until(lambda: made.feeds[BTC].newest is not None)
        assert await price(made) == "2"


async def test_streams_that_keep_failing_are_replaced_by_questions_until_they_work_again() -> None:
    async with streams() as server, feeds(server) as made:
        server.takes_connections = False
        server.rest_prices = {"BTCUSDT": "10"}
        assert await price(made) == "10"
        (told,) = made.status()
        assert (told.source, told.is_stale) == (Source.POLLING, False)
        assert "503" in told.fault
        server.rest_prices["BTCUSDT"] = "11"
        while await price(made) != "11":
            pass
        server.takes_connections = True
        await server.subscribed()
        await server.push("12")
        while await price(made) != "12":
            pass
        assert made.status()[0].source is Source.STREAM


async def test_what_is_polled_goes_back_to_its_stream_and_asks_at_once_when_the_exchange_is_back() -> None:
    async with streams() as server, feeds(server) as made:
        made.polling._every_s = 3_600
        assert await first_price(server, made) == "1"
        server.takes_connections, server.rest_prices = False, {"BTCUSDT": "10"}
        await server.drop()
        await until(lambda: made.status()[0].source is Source.POLLING)
        assert await price(made) == "10", "it is asked at first"
        made.feeds[BTC].failures = 1_000
        server.rest_prices = {"BTCUSDT": "11"}
        made.hurry()
        assert await price(made) == "11"
        await until(lambda: bool(made.dials._turns))
        server.takes_connections = True
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        made.hurry()
        await server.subscribed()
        assert loop.time() - since_s < 1.0
        await server.push("12")
        while await price(made) != "12":
            pass


async def test_a_connection_that_is_made_calls_the_others_back() -> None:
    async with streams() as server, feeds(server) as made:
        waiting = [asyncio.create_task(price(made, symbol)) for symbol in (BTC, ETH)]
        await server.subscribed()
        await server.subscribed(market_id="ETHUSDT")
        server.takes_connections = False
        await server.drop()
        await until(lambda: all(told.source is Source.POLLING for told in made.status()))
        server.takes_connections = True
        await server.subscribed()
        await server.subscribed(market_id="ETHUSDT")
        await server.push("1")
        await server.push("2", market_id="ETHUSDT")
        assert await asyncio.gather(*waiting) == ["1", "2"]


async def test_an_exchange_that_is_away_is_no_warning_for_each_symbol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.exchanges.ccxt_exchange.feeds.POLLED_NAMED_MAX", 1)
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message} {extra}")
    try:
        async with streams() as server, feeds(server) as made:
            server.takes_connections, server.rest_prices = False, {"BTCUSDT": "10", "ETHUSDT": "20"}
            waiting = [asyncio.create_task(price(made, symbol)) for symbol in (BTC, ETH)]
            await until(lambda: [told.source for told in made.status()] == [Source.POLLING] * 2)
            assert await asyncio.gather(*waiting) == ["10", "20"]
    finally:
        logger.remove(sink)
    assert [line.split()[0] for line in lines] == ["feed_is_polled"]
