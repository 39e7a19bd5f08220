"""The feeds over the real ccxt client, against a server on the loopback that does what exchanges do."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.feeds import Source
from services.exchanges.ccxt_exchange.instance import mannered_class
from services.messages import QueryFailed
from tests.exchanges.ccxt_exchange.following import (
    BTC,
    ETH,
    feeds,
    feeds_of,
    first_price,
    first_ticker,
    price,
)
from tests.exchanges.ccxt_exchange.streams import streams


async def test_a_price_keeps_every_digit() -> None:
    async with streams() as server, feeds(server) as made:
        ticker = await first_ticker(server, made, "65000.123456789012345678")
        assert ticker["last"] == "65000.123456789012345678"
        assert ticker["bid"].__class__ is str


async def test_of_a_burst_the_newest_is_taken_and_none_before_it() -> None:
    async with streams() as server, feeds(server) as made:
        assert await first_price(server, made) == "1"
        await server.push("2", "3", "4")
        await server.push("5", market_id="ETHUSDT")
        heard = await price(made)
        while heard != "4":
            assert heard in ("2", "3")
            heard = await price(made)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await made.watch_ticker(BTC)


async def test_bid_and_ask_are_streamed_too() -> None:
    async with streams() as server, feeds(server) as made:
        ticker = await first_ticker(server, made, "7")
        assert (ticker["bid"], ticker["ask"]) == ("7", "7")


async def test_what_was_handed_out_does_not_change_when_ccxt_changes_its_object() -> None:
    async with streams() as server, feeds(server) as made:
        ticker = await first_ticker(server, made)
        made.exchange.tickers[BTC]["last"] = "666"
        assert ticker["last"] == "1"


async def test_a_ticker_without_a_time_gets_that_of_its_receipt() -> None:
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        timeless = {**server.ticker("BTCUSDT", "1"), "E": None, "C": None}
        before_ms = SystemClock().now_ms()
        await server.send_raw(json.dumps(timeless))
        assert before_ms <= (await waiting)["timestamp"] <= SystemClock().now_ms()


class Wound:
    """A clock that a test sets."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


async def test_a_clock_that_is_set_back_costs_no_price() -> None:
    async with streams() as server, feeds(server) as made:
        made.clock = clock = Wound(1_900_000_000_000)
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        ahead = {"E": clock.at_ms + 5, "C": clock.at_ms + 5}
        await server.send_raw(json.dumps({**server.ticker("BTCUSDT", "1"), **ahead}))
        first = await waiting
        clock.at_ms -= 5_000
        await server.send_raw(json.dumps({**server.ticker("BTCUSDT", "2"), **ahead}))
        second = await made.watch_ticker(BTC)
        assert (second["last"], second["timestamp"]) == ("2", first["timestamp"])


async def test_a_price_from_the_future_is_one_of_now() -> None:
    """Else it would be taken for fresh long after its stream fell silent."""
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        before_ms = SystemClock().now_ms()
        ahead = {"E": before_ms + 60_000, "C": before_ms + 60_000}
        await server.send_raw(json.dumps({**server.ticker("BTCUSDT", "1"), **ahead}))
        assert before_ms <= (await waiting)["timestamp"] <= SystemClock().now_ms()


async def test_who_gives_up_waiting_harms_nothing() -> None:
    async with streams() as server, feeds(server) as made:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await made.watch_ticker(BTC)
        await server.subscribed()
        await server.push("1")
        assert await price(made) == "1"


async def test_an_exchange_without_streams_is_asked_for_all_its_prices_in_one_question() -> None:
    async with streams() as server, feeds(server, watchTicker=False) as made:
        server.rest_prices = {"BTCUSDT": "10", "ETHUSDT": "20"}
        heard = await asyncio.gather(price(made), price(made, ETH))
        assert list(heard) == ["10", "20"]
        assert {told.source for told in made.status()} == {Source.POLLING}
        server.asked.clear()
        await price(made)
        await price(made, ETH)
        assert all("symbols=" in asked for asked in server.asked)
        assert server.connects == 0


async def test_a_closed_feed_wakes_who_waits_and_opens_nothing_again() -> None:
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        await made.close()
        with pytest.raises(QueryFailed, match="closed"):
            await waiting
        with pytest.raises(QueryFailed, match="closed"):
            await made.watch_ticker(ETH)
        assert server.connects == 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_is_left_after_the_end() -> None:
    async with streams() as server, feeds(server) as made:
        await first_price(server, made)
    before = open_files()
    for _ in range(3):
        async with streams() as server, feeds(server) as made:
            waiting = asyncio.create_task(price(made))
            await server.subscribed()
            await server.drop()
            await server.subscribed()
            await server.push("1")
            await waiting
    assert open_files() <= before
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_order_book_can_be_watched() -> None:
    async with Rehearsal(RehearsalSettings(ticks_per_s=20)) as server:
        exchange: Any = mannered_class("binance")({**server.ccxt_options(), "number": str})
        async with feeds_of(exchange) as made:
            await exchange.load_markets()
            async with asyncio.timeout(10):
                book = await made.watch_order_book(BTC, 5)
    assert 1 <= len(book.bids) <= 5
    assert [price for price, _ in book.bids] == sorted((price for price, _ in book.bids), reverse=True)
    assert book.bids[0][0] < book.asks[0][0]


async def test_an_answer_dated_by_the_last_trade_is_the_price_of_now() -> None:
    async with streams() as server, feeds(server, stale_after_s=0.3) as made:
        server.rest_prices = {"BTCUSDT": "1"}
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        later = {**server.ticker("BTCUSDT", "1"), "E": SystemClock().now_ms()}
        await server.send_raw(json.dumps(later))
        before_ms = (await waiting)["timestamp"]
        async with asyncio.timeout(10):
            answered = await made.watch_ticker(BTC)
        assert answered["timestamp"] >= before_ms
