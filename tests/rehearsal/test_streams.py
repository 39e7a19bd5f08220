"""Market and user streams over real websockets, as the unmodified ccxt client follows them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from tests.rehearsal.clients import (
    MARKET,
    PATIENCE_S,
    Client,
    becomes_true,
    buy,
    ccxt_error,
    faulty,
    still,
    trading,
)

_TICKER = {"name": "ticker"}


async def _next(server: Rehearsal, waiting: Any) -> Any:
    """What a `watch_...` returns, while the market ticks until it does."""
    task = asyncio.ensure_future(waiting)
    async with asyncio.timeout(PATIENCE_S):
        while not task.done():
            server.venue.tick(MARKET)
            await asyncio.sleep(0.02)
    return task.result()


@asynccontextmanager
async def _socket(
    path: str, settings: RehearsalSettings | None = None
) -> AsyncIterator[tuple[Rehearsal, aiohttp.ClientWebSocketResponse]]:
    """A plain websocket to a server, connected."""
    async with (
        Rehearsal(settings or still()) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url + path) as socket,
    ):
        await becomes_true(lambda: len(server.connections) == 1)
        yield server, socket


@asynccontextmanager
async def _subscribed(server: Rehearsal, client: Client) -> AsyncIterator[list[dict[str, Any]]]:
    """Subscribes to the user stream; from then on every report of it is in the list, as it came."""
    heard: list[dict[str, Any]] = []
    parse = client.handle_order_update

    def hear(socket: Any, message: dict[str, Any]) -> None:
        heard.append(message)
        parse(socket, message)

    client.handle_order_update = hear
    watching = asyncio.ensure_future(client.watch_orders())
    try:
        await becomes_true(lambda: bool(server.venue.users.subscriptions) and "spot" in client.balance)
        yield heard
    finally:
        watching.cancel()


async def test_a_ticker_is_followed_exactly() -> None:
    async with trading() as (server, client):
        await _next(server, client.watch_ticker(MARKET, _TICKER))
        waiting = asyncio.ensure_future(client.watch_ticker(MARKET, _TICKER))
        await asyncio.sleep(0)
        server.venue.move_to(MARKET, Decimal("64123.4"))
        point = server.venue.desk.point(MARKET)
        await becomes_true(lambda: client.tickers[MARKET]["last"] == "64123.40000000")
        ticker = await waiting
        assert (Decimal(ticker["bid"]), Decimal(ticker["ask"])) == (point.bid, point.ask)


async def test_an_order_book_stays_in_step_with_the_market() -> None:
    async with trading() as (server, client):
        for _ in range(20):
            book = await _next(server, client.watch_order_book(MARKET))
        tape = server.venue.markets.tapes[MARKET]
        await becomes_true(lambda: book["nonce"] == tape.update)
        point = server.venue.desk.point(MARKET)
        assert (book["bids"][0][0], book["asks"][0][0]) == (float(point.bid), float(point.ask))


async def test_trades_best_prices_and_candles_are_streamed() -> None:
    async with trading() as (server, client):
        trade = (await _next(server, client.watch_trades(MARKET)))[-1]
        assert trade["symbol"] == MARKET
        best = await _next(server, client.watch_bids_asks([MARKET]))
        assert Decimal(best[MARKET]["bid"]) < Decimal(best[MARKET]["ask"])
        assert len(await _next(server, client.watch_ohlcv(MARKET, "1m"))) == 1


async def test_orders_and_balances_are_told() -> None:
    async with trading() as (server, client), _subscribed(server, client) as heard:
        balance = asyncio.ensure_future(client.watch_balance())
        await asyncio.sleep(0)
        answer = await buy(client, "told1")
        await becomes_true(lambda: len(heard) == 2)
        assert [(row["x"], row["X"], row["c"]) for row in heard] == [
            ("NEW", "NEW", "told1"),
            ("TRADE", "FILLED", "told1"),
        ]
        (order,) = client.orders
        assert (order["id"], order["status"], order["filled"]) == (answer["id"], "closed", "0.01000000")
        assert order["fee"] == answer["fee"]
        assert Decimal((await balance)["BTC"]["free"]) < Decimal("1.01")


async def test_a_cancelled_order_is_told_under_its_own_id() -> None:
    async with trading() as (server, client), _subscribed(server, client) as heard:
        await buy(client, "cancel1", price="64000")
        await client.cancel_order(None, MARKET, {"clientOrderId": "cancel1"})
        await becomes_true(lambda: [row["x"] for row in heard] == ["NEW", "CANCELED"])
        (order,) = client.orders
        assert (order["clientOrderId"], order["status"]) == ("cancel1", "canceled")


async def test_the_user_stream_wants_a_signature() -> None:
    async with _socket("/ws-api/v3") as (server, socket):
        params = {
            "apiKey": server.settings.api_key,
            "timestamp": server.venue.clock.now_ms(),
            "signature": "0" * 64,
        }
        await socket.send_json({"id": "1", "method": "userDataStream.subscribe.signature", "params": params})
        answer = await socket.receive_json(timeout=PATIENCE_S)
        assert (answer["status"], answer["error"]["code"]) == (400, -1022)
        assert server.venue.users.subscriptions == []


async def test_a_listen_key_opens_a_bare_user_stream() -> None:
    async with trading() as (server, client), aiohttp.ClientSession() as session:
        listen_key = (await client.public_post_userdatastream())["listenKey"]
        await client.public_put_userdatastream({"listenKey": listen_key})
        async with session.ws_connect(f"{server.url}/stream/ws/{listen_key}") as socket:
            await becomes_true(lambda: len(server.connections) == 1)
            await buy(client, "bare1")
            report = await socket.receive_json(timeout=PATIENCE_S)
            assert (report["e"], report["c"]) == ("executionReport", "bare1")


async def test_combined_streams_come_with_their_names() -> None:
    async with _socket("/stream?streams=btcusdt@bookTicker/btcusdt@depth5") as (server, socket):
        server.venue.tick(MARKET)
        told = [await socket.receive_json(timeout=PATIENCE_S) for _ in range(2)]
    assert [row["stream"] for row in told] == ["btcusdt@bookTicker", "btcusdt@depth5"]
    assert len(told[1]["data"]["bids"]) == 5


async def test_a_stream_that_does_not_exist_is_refused_and_others_go_on() -> None:
    async with _socket("/stream/ws/0") as (server, socket):
        await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@nothing"], "id": 1})
        assert (await socket.receive_json(timeout=PATIENCE_S))["error"]["code"] == 2
        await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
        assert await socket.receive_json(timeout=PATIENCE_S) == {"result": None, "id": 2}
        server.venue.tick(MARKET)
        assert (await socket.receive_json(timeout=PATIENCE_S))["e"] == "trade"


async def test_all_markets_are_streamed_each_second() -> None:
    async with _socket("/ws/!miniTicker@arr") as (server, socket):
        told = await socket.receive_json(timeout=PATIENCE_S)
        point = server.venue.desk.point(MARKET)
        assert [(row["s"], Decimal(row["c"])) for row in told] == [("BTCUSDT", point.last)]


async def test_the_websocket_api_takes_orders_and_questions() -> None:
    async with trading() as (_server, client):
        placed = await client.create_order_ws(
            MARKET, "limit", "buy", "0.01", "64000", {"clientOrderId": "socket1"}
        )
        assert (placed["status"], placed["clientOrderId"]) == ("open", "socket1")
        assert [row["id"] for row in await client.fetch_open_orders_ws(MARKET)] == [placed["id"]]
        assert (await client.cancel_order_ws(placed["id"], MARKET))["status"] == "canceled"
        assert (await client.fetch_order_ws(placed["id"], MARKET))["status"] == "canceled"
        with pytest.raises(ccxt_error("OrderNotFound")):
            await client.fetch_order_ws("99", MARKET)


async def test_duplicate_reports_come_twice() -> None:
    async with trading(faulty(duplicate_report=1)) as (server, client), _subscribed(server, client) as heard:
        await buy(client, "double1")
        await becomes_true(lambda: [row["x"] for row in heard] == ["NEW", "NEW", "TRADE", "TRADE"])


async def test_a_reordered_report_comes_after_the_next() -> None:
    async with trading() as (server, client), _subscribed(server, client) as heard:
        server.arm("reordered_report")
        await buy(client, "order1")
        await becomes_true(lambda: len(heard) == 2)
        assert [row["x"] for row in heard] == ["TRADE", "NEW"]


async def test_a_report_that_nothing_overtakes_comes_late() -> None:
    async with trading(faulty(reordered_report=1)) as (server, client), _subscribed(server, client) as heard:
        await buy(client, "rests1", price="64000")
        await becomes_true(lambda: [row["x"] for row in heard] == ["NEW"])


async def test_lost_reports_are_not_told_and_the_order_is_there() -> None:
    async with trading(faulty(lost_report=1)) as (server, client), _subscribed(server, client) as heard:
        assert (await buy(client, "lost1"))["status"] == "closed"
        await becomes_true(lambda: server.venue.faults.counts["lost_report"] == 4)
        assert heard == []


async def test_a_stalled_stream_is_silent_and_its_socket_open() -> None:
    async with _socket("/ws/btcusdt@trade") as (server, socket):
        server.connections[0].stall(60)
        server.venue.tick(MARKET)
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.1)
        assert not socket.closed
        server.connections[0].stall(0)
        server.venue.tick(MARKET)
        assert (await socket.receive_json(timeout=PATIENCE_S))["e"] == "trade"


async def test_a_cut_stream_is_an_error_and_watching_again_connects_again() -> None:
    async with trading() as (server, client):
        await _next(server, client.watch_ticker(MARKET, _TICKER))
        waiting = asyncio.ensure_future(client.watch_ticker(MARKET, _TICKER))
        await asyncio.sleep(0)
        server.connections[0].cut()
        with pytest.raises(ccxt_error("NetworkError")):
            await waiting
        assert (await _next(server, client.watch_ticker(MARKET, _TICKER)))["symbol"] == MARKET


@pytest.mark.parametrize("fault", ["disconnect", "stall"])
async def test_faults_of_connections_are_drawn_each_second(fault: str) -> None:
    async with _socket("/ws/btcusdt@trade", faulty(**{fault: 1})) as (server, _connected):
        await becomes_true(lambda: server.venue.faults.counts[fault] == 1)
