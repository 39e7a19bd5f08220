"""The contract's market story on the rehearsal exchange: unmodified ccxt in between, over real sockets."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from dirigent.rehearsal import markets
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.account import CcxtAccount
from services.exchanges.ccxt_exchange.client import open_clients
from services.exchanges.ccxt_exchange.connector import CcxtExchange
from services.exchanges.ccxt_exchange.desk import CcxtDesk
from services.exchanges.ccxt_exchange.feeds import Feeds
from services.exchanges.ccxt_exchange.order_stream import OrderStream
from services.exchanges.listings import Listing
from tests.exchanges.venues import OTHER, RULES, SYMBOL, Story, Venue


class RehearsalVenue:
    def __init__(
        self, exchange: CcxtExchange, server: Rehearsal, story: Story, stack: AsyncExitStack
    ) -> None:
        self.exchange = exchange
        self._server = server
        self._points = deque(story.point(number) for number in range(1, len(story.prices)))
        self._stack = stack

    async def step(self) -> None:
        if self._points:
            point = self._points.popleft()
            self._server.venue.move_to(SYMBOL, point.last, point.volume)

    async def stream_begins(self) -> None:
        """Asking begins it; who asks first hears everything from then on."""
        connected = asyncio.Event()
        self.exchange.when_reports_were_missed(connected.set)
        first = asyncio.create_task(self.exchange.watch_orders())
        async with asyncio.timeout(10):
            await connected.wait()
        first.cancel()

    async def close(self) -> None:
        await self._stack.aclose()


async def rehearsal_venue(story: Story, _: Path) -> Venue:
    """Fees are as Binance takes them: out of what is received."""
    assert story.fee_in == "base"
    async with AsyncExitStack() as opening:
        server = await opening.enter_async_context(_served(story))
        exchange = await opening.enter_async_context(_connected(server))
        return RehearsalVenue(exchange, server, story, opening.pop_all())


@asynccontextmanager
async def _served(story: Story) -> AsyncIterator[Rehearsal]:
    settings = RehearsalSettings(
        symbols=(SYMBOL, OTHER), balances=story.balances, fee=story.fee, spread=Decimal(0), ticks_per_s=0
    )
    with patch.object(markets, "listing", lambda _: Listing(Decimal(story.prices[0]), RULES)):
        server = Rehearsal(settings)
    first = story.point(0)
    server.venue.move_to(SYMBOL, first.last, first.volume)
    async with server:
        yield server


@asynccontextmanager
async def _connected(server: Rehearsal) -> AsyncIterator[CcxtExchange]:
    options = server.ccxt_options()
    keys = {name: options.pop(name) for name in ("apiKey", "secret")}
    clients = await open_clients("binance", options | {"rateLimit": 1}, keys)
    account = CcxtAccount(clients)
    desk = CcxtDesk(clients, account, [SYMBOL])
    prices = Feeds(clients.market_data, SystemClock(), stale_after_s=30)
    exchange = CcxtExchange(clients, account, desk, prices, OrderStream(clients.queries, desk, desk.read))
    try:
        yield exchange
    finally:
        await exchange.close()
