"""Feeds over the real ccxt client, following the streams of a server on the loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.feeds import Feeds
from services.exchanges.ccxt_exchange.instance import mannered_class
from tests.exchanges.ccxt_exchange.streams import Streams

BTC, ETH = "BTC/USDT", "ETH/USDT"


@asynccontextmanager
async def feeds_of(exchange: Any, stale_after_s: float = 30, poll_every_s: float = 2) -> AsyncIterator[Feeds]:
    """Over this instance of ccxt; both are closed at the end."""
    made = Feeds(exchange, SystemClock(), stale_after_s=stale_after_s, poll_every_s=poll_every_s)
    try:
        yield made
    finally:
        await made.close()
        await exchange.close()


@asynccontextmanager
async def feeds(server: Streams, stale_after_s: float = 30, **has: bool) -> AsyncIterator[Feeds]:
    exchange: Any = mannered_class("binance")(server.options())
    exchange.has.update(has)
    async with feeds_of(exchange, stale_after_s, poll_every_s=0.05) as made:
        await exchange.load_markets()
        yield made


async def price(made: Feeds, symbol: str = BTC) -> str:
    async with asyncio.timeout(10):
        return str((await made.watch_ticker(symbol))["last"])


async def first_ticker(server: Streams, made: Feeds, last: str = "1") -> Any:
    """Waits for the ticker of BTC as its stream's first, at this price."""
    waiting = asyncio.create_task(made.watch_ticker(BTC))
    await server.subscribed()
    await server.push(last)
    async with asyncio.timeout(10):
        return await waiting


async def first_price(server: Streams, made: Feeds) -> str:
    """Of BTC, which is pushed as "1"."""
    return str((await first_ticker(server, made))["last"])
