"""The feeds over the real ccxt client, against a server on the loopback that does what exchanges do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.connections import FAULTY_FRAMES_MAX
from services.exchanges.ccxt_exchange.feeds import Feeds, Source
from services.exchanges.ccxt_exchange.instance import mannered_class
from services.messages import QueryFailed
from tests.exchanges.ccxt_exchange.streams import Streams, streams, until

BTC, ETH = "BTC/USDT", "ETH/USDT"


@asynccontextmanager
async def feeds(server: Streams, stale_after_s: float = 30, **has: bool) -> AsyncIterator[Feeds]:
    exchange: Any = mannered_class("binance")(server.options())
    exchange.has.update(has)
    await exchange.load_markets()
    made = Feeds(exchange, SystemClock(), stale_after_s=stale_after_s, poll_every_s=0.05)
    try:
        yield made
    finally:
        await made.close()
        await exchange.close()


async def price(made: Feeds, symbol: str = BTC) -> str:
    async with asyncio.timeout(10):
        return str((await made.watch_ticker(symbol))["last"])


async def test_a_price_keeps_every_digit() -> None:
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        await server.push("65000.123456789012345678")
        ticker = await waiting
        assert ticker["last"] == "65000.123456789012345678"
        assert ticker["bid"].__class__ is str


async def test_of_a_burst_the_newest_is_taken_and_none_before_it() -> None:
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.push("1")
        assert await waiting == "1"
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
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        await server.push("7")
        ticker = await waiting
        assert (ticker["bid"], ticker["ask"]) == ("7", "7")


async def test_what_was_handed_out_does_not_change_when_ccxt_changes_its_object() -> None:
    async with streams() as server, feeds(server) as made:
        waiting = asyncio.create_task(made.watch_ticker(BTC))
        await server.subscribed()
        await server.push("1")
        ticker = await waiting
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
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.push("1")
        assert await waiting == "1"
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


async def test_a_stall_with_no_answer_to_questions_is_said_and_made_anew() -> None:
    async with streams() as server, feeds(server, stale_after_s=0.6) as made:
        server.rest_prices = None
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.push("1")
        assert await waiting == "1"
        await until(lambda: made.status()[0].is_stale)
        await until(lambda: server.connects == 2)


async def test_a_quiet_market_is_no_stall() -> None:
    async with streams() as server, feeds(server, stale_after_s=0.3) as made:
        server.rest_prices = {"BTCUSDT": "1.00"}
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.push("1")
        assert await waiting == "1"
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
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.push("1")
        assert await waiting == "1"
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
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.push("1")
        assert await waiting == "1"
        await server.drop()
        await until(lambda: server.connects == 2)
        await server.subscribed()
        await server.push("2")
        await until(lambda: made.feeds[BTC].newest is not None)
        assert await price(made) == "2"


async def test_who_gives_up_waiting_harms_nothing() -> None:
    async with streams() as server, feeds(server) as made:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await made.watch_ticker(BTC)
        await server.subscribed()
        await server.push("1")
        assert await price(made) == "1"


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
        waiting = asyncio.create_task(price(made))
        await server.subscribed()
        await server.push("1")
        await waiting
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
        made = Feeds(exchange, SystemClock(), stale_after_s=30)
        try:
            await exchange.load_markets()
            async with asyncio.timeout(10):
                book = await made.watch_order_book(BTC, 5)
        finally:
            await made.close()
            await exchange.close()
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
