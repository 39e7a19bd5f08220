"""A small server on the loopback that speaks as much of Binance's streams as a test wants, and misbehaves at will."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

SYMBOLS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}


async def until(holds: Callable[[], bool]) -> None:
    """For what ccxt does inside, of which it tells nobody."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Streams:
    """Prices are pushed by the test; the REST side tells `rest_prices`, or fails while that is None."""

    def __init__(self) -> None:
        self.rest_prices: dict[str, str] | None = {}
        self.connects = 0
        self.user_connects = 0
        self.answers_subscriptions = True
        self.refusal: dict[str, Any] | None = None
        """The error with which subscriptions to orders are answered."""
        self.takes_connections = True
        self.asked: list[str] = []
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}
        self._users: set[web.WebSocketResponse] = set()
        self._changed = asyncio.Event()
        self._clock_ms = 1_700_000_000_000
        self.port = 0

    def options(self) -> dict[str, Any]:
        http, ws = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        return {
            "apiKey": "not-a-real-key-0000",
            "secret": "not-a-real-secret-0000",
            "number": str,
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
            "urls": {
                "api": {
                    "public": f"{http}/api/v3",
                    "private": f"{http}/api/v3",
                    "sapi": f"{http}/sapi/v1",
                    "ws": {"spot": f"{ws}/stream", "ws-api": {"spot": f"{ws}/ws-api/v3"}},
                }
            },
        }

    async def subscribed(self, count: int = 1, market_id: str = "BTCUSDT") -> None:
        """Waits until so many connections carry this symbol's prices."""
        stream = f"{market_id.lower()}@ticker"
        await self._until(lambda: sum(stream in held for held in self._sockets.values()) >= count)

    async def users(self, connects: int = 1) -> None:
        await self._until(lambda: self.user_connects >= connects and bool(self._users))

    async def _until(self, holds: Any) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def push(self, *prices: str, market_id: str = "BTCUSDT") -> None:
        """All frames in one go, as a burst arrives."""
        await self.send_raw(
            *(json.dumps(self.ticker(market_id, price)) for price in prices), market_id=market_id
        )

    async def send_raw(self, *frames: str, market_id: str = "BTCUSDT") -> None:
        stream = f"{market_id.lower()}@ticker"
        for socket, held in list(self._sockets.items()):
            if stream in held:
                for frame in frames:
                    await socket.send_str(frame)

    async def push_user(self, *events: dict[str, Any] | str) -> None:
        for socket in list(self._users):
            for event in events:
                frame = event if isinstance(event, str) else json.dumps({"subscriptionId": 0, "event": event})
                await socket.send_str(frame)

    async def drop(self) -> None:
        """Cuts every connection without a word of closing."""
        for socket in (*self._sockets, *self._users):
            assert socket._req is not None
            transport = socket._req.transport
            if transport is not None:
                transport.abort()
        self._sockets.clear()
        self._users.clear()

    def ticker(self, market_id: str, price: str) -> dict[str, Any]:
        self._clock_ms += 1
        return {
            "e": "24hrTicker", "E": self._clock_ms, "s": market_id, "p": "1.0", "P": "0.1", "w": price,
            "x": price, "c": price, "Q": "0.1", "b": price, "B": "1.0", "a": price, "A": "1.0", "o": price,
            "h": price, "l": price, "v": "10", "q": "100", "O": 0, "C": self._clock_ms, "F": 0, "L": 1, "n": 2,
        }  # fmt: skip

    async def _prices(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if self.rest_prices is None:
            return web.json_response({"code": -1001, "msg": "Internal error"}, status=503)
        one = request.query.get("symbol")
        rows = [
            {
                "symbol": name,
                "lastPrice": price,
                "bidPrice": price,
                "askPrice": price,
                "closeTime": self._clock_ms,
            }
            for name, price in self.rest_prices.items()
            if one in (None, name)
        ]
        return web.json_response(rows[0] if one else rows)

    async def _markets(self, _: web.Request) -> web.StreamResponse:
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True},
        ]
        rows = [
            {
                "symbol": name, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset": quote,
                "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "MARKET"],
                "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "filters": filters,
                "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
            }
            for name, (base, quote) in SYMBOLS.items()
        ]  # fmt: skip
        return web.json_response({"timezone": "UTC", "serverTime": self._clock_ms, "symbols": rows})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if not self.takes_connections:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets[socket] = set()
        self.connects += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    asked = json.loads(message.data)
                    self._sockets[socket].update(asked["params"])
                    await socket.send_json({"result": None, "id": asked["id"]})
                    self._changed.set()
        finally:
            self._sockets.pop(socket, None)
        return socket

    async def _user(self, request: web.Request) -> web.StreamResponse:
        if not self.takes_connections:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and self.answers_subscriptions:
                    asked = json.loads(message.data)
                    if self.refusal is not None:
                        await socket.send_json({"id": asked["id"], "status": 400, "error": self.refusal})
                        continue
                    await socket.send_json(
                        {"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}}
                    )
                    self._users.add(socket)
                    self.user_connects += 1
                    self._changed.set()
        finally:
            self._users.discard(socket)
        return socket


@asynccontextmanager
async def streams() -> AsyncIterator[Streams]:
    made = Streams()
    application = web.Application()
    application.router.add_get("/api/v3/ticker/24hr", made._prices)
    application.router.add_get("/api/v3/exchangeInfo", made._markets)
    application.router.add_get("/stream/{number}", made._stream)
    application.router.add_get("/ws-api/v3", made._user)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await made.drop()
        await runner.cleanup()
