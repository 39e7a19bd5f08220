"""How each exchange is told of an order's name, finds the order by it, and cancels it: real ccxt over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.exchanges.ccxt_exchange.capabilities import KNOWN, Buy
from services.messages import CancelRefused, OrderRefused, OrderStatus, QueryFailed
from tests.exchanges.ccxt_exchange.scripted import (
    KEYS,
    SYMBOL,
    Connected,
    Heard,
    Reply,
    binance,
    exchange,
    order,
)
from tests.exchanges.ccxt_exchange.shapes import bitget, bybit
from tests.exchanges.ccxt_exchange.shapes.story import NAME
from tests.exchanges.ccxt_exchange.ways import BATCHES, WAYS, Ways


def _pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@asynccontextmanager
async def connected_to(exchange_id: str) -> AsyncIterator[Connected]:
    ways = WAYS[exchange_id]
    options: dict[str, Any] = dict(ways.options)
    keys = (
        {"apiKey": "organizations/fake/apiKeys/fake", "secret": _pem()} if exchange_id == "coinbase" else KEYS
    )
    opened = binance() if exchange_id == "binance" else exchange(exchange_id, ways.urls, keys, **options)
    async with opened as connected:
        if exchange_id == "gate":
            _redirect_gate(connected)
        for route, body in ways.replies.items():
            connected.server.on(route, body)
        yield connected


def _redirect_gate(connected: Connected) -> None:
    for instance in (connected.clients.orders, connected.clients.queries):
        for side in ("public", "private"):
            instance.urls["api"][side] = dict.fromkeys(instance.urls["api"][side], connected.server.url)


@pytest.fixture(params=KNOWN)
async def known(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Connected, Ways]]:
    async with connected_to(request.param) as connected:
        yield connected, WAYS[request.param]


def _says(heard: Heard, wanted: Mapping[str, object]) -> bool:
    said: Mapping[str, object] = heard.parameters
    rows = said.get("")
    return wanted.items() <= (rows[0] if isinstance(rows, list) else said).items()


async def test_an_order_is_named_found_with_its_fees_and_cancelled_by_its_name(
    known: tuple[Connected, Ways],
) -> None:
    connected, ways = known
    desk, server = connected.desk, connected.server

    created = await desk.create_order(order("buy", "0.5", "100"))
    assert (created.client_order_id, created.exchange_order_id) == (NAME, ways.identity)
    route, wanted = ways.create
    (sent,) = server.requests(route)
    assert _says(sent, wanted), sent.parameters

    found = await desk.fetch_order(NAME, SYMBOL)
    assert found is not None
    assert (found.client_order_id, found.exchange_order_id) == (NAME, ways.identity)
    assert (found.status, found.filled) == (OrderStatus.OPEN, Decimal("0.2"))
    (fill,) = found.fills
    assert (fill.client_order_id, fill.side, fill.amount, fill.price) == (
        NAME,
        "buy",
        Decimal("0.2"),
        Decimal("99.5"),
    )
    assert (str(fill.fee), fill.fee_currency) == ways.fee
    assert fill.at_ms == 1_700_000_000_600

    for changed, body in ways.after_cancel.items():
        server.on(changed, body)
    cancelled = await desk.cancel_order(NAME, SYMBOL)
    assert (cancelled.client_order_id, cancelled.status) == (NAME, OrderStatus.CANCELED)
    route, wanted = ways.cancel
    (sent,) = server.requests(route)
    assert _says(sent, wanted), sent.parameters


async def test_a_market_buy_is_for_coins_everywhere(known: tuple[Connected, Ways]) -> None:
    """Three exchanges take money instead: there it is a limit order that takes what is there and rests never."""
    connected, ways = known
    await connected.desk.create_order(order("buy", "0.5"))
    route, _ = ways.create
    (sent,) = connected.server.requests(route)
    text = str(sent.parameters).lower()
    assert "'0.5'" in text
    if connected.clients.capabilities.market_buy is Buy.MONEY:
        assert "ioc" in text
        assert "'101.11'" in text  # a hundredth above the best ask, on the price's step
    else:
        assert "market" in text
        assert "101" not in text


@asynccontextmanager
async def many_questions(connected: Connected) -> AsyncIterator[None]:
    """A queue of them, before what happens in the block."""
    queries = connected.clients.queries
    waiting = [asyncio.create_task(queries.fetch_time()) for _ in range(400)]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_price_that_a_market_buy_asks_for_overtakes_other_questions() -> None:
    async with connected_to("gate") as connected, many_questions(connected):
        await connected.desk.create_order(order("buy", "0.5"))
        assert len(connected.server.heard) < 200


async def test_the_id_that_a_cancel_asks_for_overtakes_other_questions() -> None:
    async with connected_to("coinbase") as connected, many_questions(connected):
        for changed, body in WAYS["coinbase"].after_cancel.items():
            connected.server.on(changed, body)
        with suppress(CancelRefused):
            await connected.desk.cancel_order(NAME, SYMBOL)
        assert len(connected.server.heard) < 200


async def test_an_order_that_is_not_open_cannot_be_cancelled_by_an_id_that_nobody_knows() -> None:
    async with connected_to("coinbase") as connected:
        connected.server.on(f"GET {BATCHES}/historical/batch", {"orders": [], "has_next": False})
        with pytest.raises(CancelRefused):
            await connected.desk.cancel_order(NAME, SYMBOL)


async def test_a_trade_without_its_order_proves_that_the_order_exists() -> None:
    async with connected_to("bybit") as connected:
        for route in ("GET /v5/order/realtime", "GET /v5/order/history"):
            connected.server.on(route, bybit.answer({"list": [], "category": "spot"}))
        with pytest.raises(QueryFailed, match="it has trades"):
            await connected.desk.fetch_order(NAME, SYMBOL)
        connected.server.on("GET /v5/execution/list", bybit.answer({"list": [], "category": "spot"}))
        assert await connected.desk.fetch_order(NAME, SYMBOL) is None


async def test_without_a_price_a_money_spending_market_buy_is_not_sent() -> None:
    async with connected_to("gate") as connected:
        connected.server.on("GET /spot/tickers", Reply("oops", 503))
        with pytest.raises(OrderRefused, match="not sent"):
            await connected.desk.create_order(order("buy", "0.5"))
        assert connected.server.requests("POST /spot/orders") == []


async def test_an_order_that_a_parser_missed_in_a_garbled_answer_is_not_missing() -> None:
    async with connected_to("bitget") as connected:
        garbage: list[object] = [{}, [], bitget.answer([bitget.ORDER | {"clientOid": "another"}])]
        for garbled in garbage:
            connected.calm_down()
            connected.server.on("GET /api/v2/spot/trade/orderInfo", Reply(garbled))
            with pytest.raises(QueryFailed):
                await connected.desk.fetch_order(NAME, SYMBOL)
