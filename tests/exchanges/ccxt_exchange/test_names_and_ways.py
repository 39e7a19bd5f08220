"""How each exchange is told of an order's name, finds the order by it, and cancels it: real ccxt over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.exchanges.ccxt_exchange.capabilities import KNOWN, Buy
from services.messages import CancelRefused, OrderRefused, OrderStatus, QueryFailed
from tests.exchanges.ccxt_exchange import shapes
from tests.exchanges.ccxt_exchange.scripted import (
    KEYS,
    SYMBOL,
    Connected,
    Heard,
    Reply,
    binance,
    binance_order,
    binance_trade,
    exchange,
    order,
)
from tests.exchanges.ccxt_exchange.shapes import NAME


@dataclass(frozen=True, slots=True)
class Ways:
    """One exchange's routes. `replies` are what the story needs; the rest is what the requests have to say."""

    urls: Mapping[str, str]
    replies: Mapping[str, object]
    create: tuple[str, Mapping[str, object]]
    identity: str
    cancel: tuple[str, Mapping[str, object]]
    after_cancel: Mapping[str, object]
    fee: tuple[str, str]
    options: Mapping[str, object] = field(default_factory=dict)


def _pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


BATCHES = "/api/v3/brokerage/orders"
WAYS = {
    "kraken": Ways(
        urls={"public": "", "private": ""},
        replies={
            "POST /0/private/AddOrder": shapes.kraken(
                {"txid": ["OTLAS3-RRHUF-NDWH5A"], "descr": {"order": "buy 0.5 XBTUSDT @ limit 100"}}
            ),
            "POST /0/private/OpenOrders": shapes.kraken(
                {"open": {"OTLAS3-RRHUF-NDWH5A": shapes.KRAKEN_ORDER}}
            ),
            "POST /0/private/QueryTrades": shapes.kraken({"TT5UC3-GOIRW-6AZZ6R": shapes.KRAKEN_TRADE}),
            "POST /0/private/CancelOrder": shapes.kraken({"count": 1}),
        },
        create=("POST /0/private/AddOrder", {"cl_ord_id": NAME, "volume": "0.5", "oflags": "fciq"}),
        identity="OTLAS3-RRHUF-NDWH5A",
        cancel=("POST /0/private/CancelOrder", {"cl_ord_id": NAME}),
        after_cancel={
            "POST /0/private/OpenOrders": shapes.kraken({"open": {}}),
            "POST /0/private/ClosedOrders": shapes.kraken(
                {
                    "closed": {"OTLAS3-RRHUF-NDWH5A": shapes.KRAKEN_ORDER | {"status": "canceled"}},
                    "count": 1,
                }
            ),
        },
        fee=("0.03184", "USDT"),
    ),
    "coinbase": Ways(
        urls={"rest": ""},
        replies={
            f"POST {BATCHES}": {
                "success": True,
                "success_response": {
                    "order_id": "0000-000000-000000",
                    "product_id": "BTC-USDT",
                    "side": "BUY",
                    "client_order_id": NAME,
                },
                "order_configuration": None,
            },
            f"GET {BATCHES}/historical/batch": {"orders": [shapes.COINBASE_ORDER], "has_next": False},
            f"GET {BATCHES}/historical/fills": {"fills": [shapes.COINBASE_TRADE], "cursor": ""},
            f"POST {BATCHES}/batch_cancel": {
                "results": [{"success": True, "order_id": "0000-000000-000000"}]
            },
            "GET /api/v3/brokerage/market/products/BTC-USDT/ticker": shapes.COINBASE_TICKER,
        },
        create=(f"POST {BATCHES}", {"client_order_id": NAME}),
        identity="0000-000000-000000",
        cancel=(f"POST {BATCHES}/batch_cancel", {"order_ids": ["0000-000000-000000"]}),
        after_cancel={
            f"GET {BATCHES}/historical/batch": {
                "orders": [shapes.COINBASE_ORDER | {"status": "CANCELLED"}],
                "has_next": False,
            }
        },
        fee=("0.0398", "USDT"),
    ),
    "bybit": Ways(
        urls=dict.fromkeys(("public", "private", "spot", "v2", "futures"), ""),
        replies={
            "POST /v5/order/create": shapes.bybit({"orderId": "1523347543495541248", "orderLinkId": NAME}),
            "GET /v5/order/realtime": shapes.bybit({"list": [shapes.BYBIT_ORDER], "category": "spot"}),
            "GET /v5/execution/list": shapes.bybit({"list": [shapes.BYBIT_TRADE], "category": "spot"}),
            "POST /v5/order/cancel": shapes.bybit({"orderId": "1523347543495541248", "orderLinkId": NAME}),
        },
        create=("POST /v5/order/create", {"orderLinkId": NAME, "qty": "0.5"}),
        identity="1523347543495541248",
        cancel=("POST /v5/order/cancel", {"orderLinkId": NAME}),
        after_cancel={
            "GET /v5/order/realtime": shapes.bybit(
                {"list": [shapes.BYBIT_ORDER | {"orderStatus": "Cancelled"}], "category": "spot"}
            ),
            "GET /v5/order/history": shapes.bybit(
                {"list": [shapes.BYBIT_ORDER | {"orderStatus": "Cancelled"}], "category": "spot"}
            ),
        },
        fee=("0.0002", "BTC"),
        options={"options": {"enableUnifiedMargin": False, "enableUnifiedAccount": True}},
    ),
    "okx": Ways(
        urls={"rest": ""},
        replies={
            "POST /api/v5/trade/batch-orders": shapes.okx(
                {"clOrdId": NAME, "ordId": "312269865356374016", "tag": "", "sCode": "0", "sMsg": ""}
            ),
            "GET /api/v5/trade/order": shapes.okx(shapes.OKX_ORDER),
            "GET /api/v5/trade/fills-history": shapes.okx(shapes.OKX_TRADE),
            "POST /api/v5/trade/cancel-order": shapes.okx(
                {"clOrdId": NAME, "ordId": "312269865356374016", "sCode": "0", "sMsg": ""}
            ),
        },
        create=("POST /api/v5/trade/batch-orders", {"clOrdId": NAME, "sz": "0.5", "tgtCcy": "base_ccy"}),
        identity="312269865356374016",
        cancel=("POST /api/v5/trade/cancel-order", {"clOrdId": NAME}),
        after_cancel={"GET /api/v5/trade/order": shapes.okx(shapes.OKX_ORDER | {"state": "canceled"})},
        fee=("0.0002", "BTC"),
    ),
    "kucoin": Ways(
        urls=dict.fromkeys(("public", "private", "uta", "utaV2", "utaPrivate"), ""),
        replies={
            "POST /api/v1/hf/orders": shapes.kucoin(
                {"orderId": "6717422bd51c29000775ea03", "clientOid": NAME}
            ),
            f"GET /api/v1/hf/orders/client-order/{NAME}": shapes.kucoin(shapes.KUCOIN_ORDER),
            "GET /api/v1/hf/fills": shapes.kucoin({"items": [shapes.KUCOIN_TRADE], "lastId": 1}),
            f"DELETE /api/v1/hf/orders/client-order/{NAME}": shapes.kucoin({"clientOid": NAME}),
        },
        create=("POST /api/v1/hf/orders", {"clientOid": NAME, "size": "0.5"}),
        identity="6717422bd51c29000775ea03",
        cancel=(f"DELETE /api/v1/hf/orders/client-order/{NAME}", {}),
        after_cancel={
            f"GET /api/v1/hf/orders/client-order/{NAME}": shapes.kucoin(
                shapes.KUCOIN_ORDER | {"active": False, "cancelExist": True, "inOrderBook": False}
            )
        },
        fee=("0.0199", "USDT"),
        options={"options": {"uta": False, "hf": True}},
    ),
    "gate": Ways(
        urls={},
        replies={
            "POST /spot/orders": shapes.GATE_ORDER
            | {"left": "0.5", "filled_amount": "0", "filled_total": "0"},
            f"GET /spot/orders/t-{NAME}": shapes.GATE_ORDER,
            "GET /spot/my_trades": [shapes.GATE_TRADE],
            f"DELETE /spot/orders/t-{NAME}": shapes.GATE_ORDER | {"status": "cancelled"},
            "GET /spot/tickers": [
                {"currency_pair": "BTC_USDT", "last": "100.05", "lowest_ask": "100.1", "highest_bid": "100"}
            ],
        },
        create=("POST /spot/orders", {"text": f"t-{NAME}", "amount": "0.5"}),
        identity="1852454420",
        cancel=(f"DELETE /spot/orders/t-{NAME}", {}),
        after_cancel={},
        fee=("0.0004", "BTC"),
        options={"options": {"unifiedAccount": False}},
    ),
    "bitget": Ways(
        urls=dict.fromkeys(("spot", "common", "user", "uta"), ""),
        replies={
            "POST /api/v2/spot/trade/place-order": shapes.bitget(
                {"orderId": "1098394344925597696", "clientOid": NAME}
            ),
            "GET /api/v2/spot/trade/orderInfo": shapes.bitget([shapes.BITGET_ORDER]),
            "GET /api/v2/spot/trade/fills": shapes.bitget([shapes.BITGET_TRADE]),
            "POST /api/v2/spot/trade/cancel-order": shapes.bitget(
                {"orderId": "1098394344925597696", "clientOid": NAME}
            ),
            "GET /api/v2/spot/market/tickers": shapes.bitget(
                [
                    {
                        "symbol": "BTCUSDT",
                        "lastPr": "100.05",
                        "askPr": "100.1",
                        "bidPr": "100",
                        "ts": "1700000000600",
                    }
                ]
            ),
        },
        create=("POST /api/v2/spot/trade/place-order", {"clientOid": NAME, "size": "0.5"}),
        identity="1098394344925597696",
        cancel=("POST /api/v2/spot/trade/cancel-order", {"clientOid": NAME}),
        after_cancel={
            "GET /api/v2/spot/trade/orderInfo": shapes.bitget([shapes.BITGET_ORDER | {"status": "cancelled"}])
        },
        fee=("0.0002", "BTC"),
        options={"options": {"uta": False}},
    ),
    "binance": Ways(
        urls={},
        replies={
            "POST /api/v3/order": binance_order(),
            "GET /api/v3/order": binance_order(
                status="PARTIALLY_FILLED", executedQty="0.2", cummulativeQuoteQty="19.9"
            ),
            "GET /api/v3/myTrades": [binance_trade(7, "0.2", "99.5", "0.0002", "BTC")],
            "DELETE /api/v3/order": binance_order(status="CANCELED", executedQty="0.2"),
        },
        create=("POST /api/v3/order", {"newClientOrderId": NAME, "quantity": "0.5"}),
        identity="28",
        cancel=("DELETE /api/v3/order", {"origClientOrderId": NAME}),
        after_cancel={},
        fee=("0.0002", "BTC"),
    ),
}


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
            connected.server.on(route, shapes.bybit({"list": [], "category": "spot"}))
        with pytest.raises(QueryFailed, match="it has trades"):
            await connected.desk.fetch_order(NAME, SYMBOL)
        connected.server.on("GET /v5/execution/list", shapes.bybit({"list": [], "category": "spot"}))
        assert await connected.desk.fetch_order(NAME, SYMBOL) is None


async def test_without_a_price_a_money_spending_market_buy_is_not_sent() -> None:
    async with connected_to("gate") as connected:
        connected.server.on("GET /spot/tickers", Reply("oops", 503))
        with pytest.raises(OrderRefused, match="not sent"):
            await connected.desk.create_order(order("buy", "0.5"))
        assert connected.server.requests("POST /spot/orders") == []


async def test_an_order_that_a_parser_missed_in_a_garbled_answer_is_not_missing() -> None:
    async with connected_to("bitget") as connected:
        garbage: list[object] = [{}, [], shapes.bitget([shapes.BITGET_ORDER | {"clientOid": "another"}])]
        for garbled in garbage:
            connected.calm_down()
            connected.server.on("GET /api/v2/spot/trade/orderInfo", Reply(garbled))
            with pytest.raises(QueryFailed):
                await connected.desk.fetch_order(NAME, SYMBOL)
