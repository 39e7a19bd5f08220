"""The real ccxt client, unmodified, against a rehearsal exchange in the same process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib import import_module
from typing import Any

from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings

MARKET = "BTC/USDT"
PATIENCE_S = 10.0

Client = Any
"""A `ccxt.pro.binance`, which has no types."""


def ccxt_error(name: str) -> type[Exception]:
    error: type[Exception] = getattr(import_module("ccxt"), name)
    return error


def still(**changes: Any) -> RehearsalSettings:
    """Prices that move only when they are told to, and enough of both coins."""
    usual: dict[str, Any] = {
        "symbols": (MARKET,),
        "ticks_per_s": 0,
        "balances": {"USDT": Decimal(100_000), "BTC": Decimal(1)},
    }
    return RehearsalSettings(**{**usual, **changes})


def faulty(**faults: Any) -> RehearsalSettings:
    return still(chaos=Chaos(**faults))


@asynccontextmanager
async def trading(
    settings: RehearsalSettings | None = None, **overrides: Any
) -> AsyncIterator[tuple[Rehearsal, Client]]:
    """A server, and a client that has loaded its markets."""
    async with Rehearsal(settings or still()) as server, client_of(server, **overrides) as client:
        await client.load_markets()
        yield server, client


@asynccontextmanager
async def client_of(server: Rehearsal, **overrides: Any) -> AsyncIterator[Client]:
    given = {**server.ccxt_options(), "number": str, "enableRateLimit": False, **overrides}
    client = import_module("ccxt.pro").binance(given)
    try:
        yield client
    finally:
        await client.close()


async def becomes_true(holds: Callable[[], bool]) -> None:
    """Waits until it holds; fails when it does not in a generous time."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for is no event of this process
            await asyncio.sleep(0.01)


async def buy(client: Client, client_order_id: str, amount: str = "0.01", price: str | None = None) -> Any:
    """A market order, or a limit order at this price."""
    kind = "market" if price is None else "limit"
    return await client.create_order(MARKET, kind, "buy", amount, price, {"clientOrderId": client_order_id})


async def look_up(client: Client, client_order_id: str) -> Any:
    return await client.fetch_order(None, MARKET, {"clientOrderId": client_order_id})
