"""A real HTTP server on the loopback whose every answer a test writes, and ccxt connected to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from time import time
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from services.exchanges.ccxt_exchange.account import CcxtAccount
from services.exchanges.ccxt_exchange.client import Clients, make_clients, open_clients
from services.exchanges.ccxt_exchange.desk import CcxtDesk
from services.messages import OrderRequest
from tests.exchanges.ccxt_exchange.shapes.binance import EXCHANGE_INFO
from tests.exchanges.ccxt_exchange.shapes.story import NAME

SYMBOL = "BTC/USDT"
KEYS = {
    "apiKey": "fake-key",
    "secret": "ZmFrZS1zZWNyZXQ=",
    "password": "fake-word",
}  # base64, as one exchange wants it


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `body` that is no text is sent as JSON; `is_dropped` cuts the connection instead."""

    body: object = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_dropped: bool = False
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One request, with its parameters from wherever they stood."""

    method: str
    path: str
    parameters: Mapping[str, Any]
    headers: Mapping[str, str]


class ScriptedServer:
    """Answers by method and path; of several answers the last one repeats. What has no answer is a 404."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[Heard] = []
        self._replies: dict[str, list[Reply]] = {}
        self._arrived = asyncio.Event()

    def on(self, route: str, *replies: object) -> None:
        """`route` is like "POST /api/v3/order"; an answer that is no Reply is the JSON of one."""
        self._replies[route] = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]

    def requests(self, route: str) -> list[Heard]:
        return [heard for heard in self.heard if f"{heard.method} {heard.path}" == route]

    async def until_heard(self, route: str) -> None:
        while not self.requests(route):
            async with asyncio.timeout(5):
                await self._arrived.wait()
            self._arrived.clear()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.heard.append(
            Heard(request.method, request.path, _parameters(request, body), dict(request.headers))
        )
        self._arrived.set()
        replies = self._replies.get(f"{request.method} {request.path}", [Reply("no such page", 404)])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        await asyncio.sleep(reply.delay_s)
        if reply.is_dropped:
            assert request.transport is not None
            request.transport.close()
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        kind = "text/html" if isinstance(reply.body, str) else "application/json"
        return web.Response(text=text, status=reply.status, headers=reply.headers, content_type=kind)


@asynccontextmanager
async def serving() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Watch:
    """A clock for the breaker alone: real time, and what a test adds to it."""

    ahead_ms: int = 0

    def now_ms(self) -> int:
        return int(time() * 1000) + self.ahead_ms


@dataclass(frozen=True, slots=True)
class Connected:
    server: ScriptedServer
    clients: Clients
    account: CcxtAccount
    desk: CcxtDesk
    watch: Watch

    def calm_down(self) -> None:
        """Time passes and the exchange answers: whatever the breaker held against it is over."""
        self.watch.ahead_ms += 3_600_000
        self.clients.breaker.note_answer()


@asynccontextmanager
async def binance(**options: Any) -> AsyncIterator[Connected]:
    """Binance's spot client, opened as the engine opens it."""
    async with serving() as server:
        server.on("GET /api/v3/exchangeInfo", EXCHANGE_INFO)
        server.on("GET /api/v3/time", {"serverTime": 1_700_000_000_000})
        api = dict.fromkeys(("public", "private"), f"{server.url}/api/v3")
        watch = Watch()
        clients = await open_clients(
            "binance", {"urls": {"api": api}, "rateLimit": 1, **options}, KEYS, now_ms=watch.now_ms
        )
        try:
            yield _connected(server, clients, watch)
        finally:
            await clients.close()


@asynccontextmanager
async def exchange(
    exchange_id: str, urls: Mapping[str, str], keys: Mapping[str, str] = KEYS, **options: Any
) -> AsyncIterator[Connected]:
    """Any other exchange, with one spot market that nobody had to ask for."""
    async with serving() as server:
        api = {name: server.url + path for name, path in urls.items()}
        watch = Watch()
        clients = make_clients(
            exchange_id, {"urls": {"api": api}, "rateLimit": 1, **options}, keys, now_ms=watch.now_ms
        )
        for instance in (clients.orders, clients.queries, clients.market_data):
            instance.set_markets([market_of(exchange_id)])
        try:
            yield _connected(server, clients, watch)
        finally:
            await clients.close()


def _connected(server: ScriptedServer, clients: Clients, watch: Watch) -> Connected:
    clients.questions.pause_s = 0.01
    account = CcxtAccount(clients)
    return Connected(server, clients, account, CcxtDesk(clients, account, [SYMBOL]), watch)


def _parameters(request: web.Request, body: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(request.query)
    if body.startswith(("{", "[")):
        written = json.loads(body)
        found |= written if isinstance(written, dict) else {"": written}
    else:
        found |= dict(parse_qsl(body))
    return found


def market_of(exchange_id: str) -> dict[str, Any]:
    market_id = {
        "kraken": "XBTUSDT",
        "coinbase": "BTC-USDT",
        "okx": "BTC-USDT",
        "kucoin": "BTC-USDT",
        "gate": "BTC_USDT",
    }
    return {
        "id": market_id.get(exchange_id, "BTCUSDT"),
        "symbol": SYMBOL,
        "base": "BTC",
        "quote": "USDT",
        "baseId": "BTC",
        "quoteId": "USDT",
        "type": "spot",
        "spot": True,
        "margin": False,
        "swap": False,
        "future": False,
        "option": False,
        "contract": False,
        "linear": None,
        "inverse": None,
        "active": True,
        "precision": {"amount": "0.00001", "price": "0.01"},
        "limits": {"amount": {"min": "0.00001"}, "price": {}, "cost": {"min": "5"}},
        "info": {"altname": "XBTUSDT"},
    }


def order(side: str, amount: str, price: str | None = None, name: str = NAME) -> OrderRequest:
    kind = "market" if price is None else "limit"
    return OrderRequest(name, SYMBOL, side, kind, Decimal(amount), None if price is None else Decimal(price))


def said(code: int, message: str, status: int = 400) -> Reply:
    """Binance's way to refuse."""
    return Reply({"code": code, "msg": message}, status)
