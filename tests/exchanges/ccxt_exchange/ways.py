"""By which requests each exchange takes a named order, finds it and cancels it, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.exchanges.ccxt_exchange.shapes import bitget, bybit, coinbase, gate, kraken, kucoin, okx
from tests.exchanges.ccxt_exchange.shapes.binance import binance_order, binance_trade
from tests.exchanges.ccxt_exchange.shapes.story import NAME


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


BATCHES = "/api/v3/brokerage/orders"
WAYS = {
    "kraken": Ways(
        urls={"public": "", "private": ""},
        replies={
            "POST /0/private/AddOrder": kraken.answer(
                {"txid": ["OTLAS3-RRHUF-NDWH5A"], "descr": {"order": "buy 0.5 XBTUSDT @ limit 100"}}
            ),
            "POST /0/private/OpenOrders": kraken.answer({"open": {"OTLAS3-RRHUF-NDWH5A": kraken.ORDER}}),
            "POST /0/private/QueryTrades": kraken.answer({"TT5UC3-GOIRW-6AZZ6R": kraken.TRADE}),
            "POST /0/private/CancelOrder": kraken.answer({"count": 1}),
        },
        create=("POST /0/private/AddOrder", {"cl_ord_id": NAME, "volume": "0.5", "oflags": "fciq"}),
        identity="OTLAS3-RRHUF-NDWH5A",
        cancel=("POST /0/private/CancelOrder", {"cl_ord_id": NAME}),
        after_cancel={
            "POST /0/private/OpenOrders": kraken.answer({"open": {}}),
            "POST /0/private/ClosedOrders": kraken.answer(
                {
                    "closed": {"OTLAS3-RRHUF-NDWH5A": kraken.ORDER | {"status": "canceled"}},
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
            f"GET {BATCHES}/historical/batch": {"orders": [coinbase.ORDER], "has_next": False},
            f"GET {BATCHES}/historical/fills": {"fills": [coinbase.TRADE], "cursor": ""},
            f"POST {BATCHES}/batch_cancel": {
                "results": [{"success": True, "order_id": "0000-000000-000000"}]
            },
            "GET /api/v3/brokerage/market/products/BTC-USDT/ticker": coinbase.TICKER,
        },
        create=(f"POST {BATCHES}", {"client_order_id": NAME}),
        identity="0000-000000-000000",
        cancel=(f"POST {BATCHES}/batch_cancel", {"order_ids": ["0000-000000-000000"]}),
        after_cancel={
            f"GET {BATCHES}/historical/batch": {
                "orders": [coinbase.ORDER | {"status": "CANCELLED"}],
                "has_next": False,
            }
        },
        fee=("0.0398", "USDT"),
    ),
    "bybit": Ways(
        urls=dict.fromkeys(("public", "private", "spot", "v2", "futures"), ""),
        replies={
            "POST /v5/order/create": bybit.answer({"orderId": "1523347543495541248", "orderLinkId": NAME}),
            "GET /v5/order/realtime": bybit.answer({"list": [bybit.ORDER], "category": "spot"}),
            "GET /v5/execution/list": bybit.answer({"list": [bybit.TRADE], "category": "spot"}),
            "POST /v5/order/cancel": bybit.answer({"orderId": "1523347543495541248", "orderLinkId": NAME}),
        },
        create=("POST /v5/order/create", {"orderLinkId": NAME, "qty": "0.5"}),
        identity="1523347543495541248",
        cancel=("POST /v5/order/cancel", {"orderLinkId": NAME}),
        after_cancel={
            "GET /v5/order/realtime": bybit.answer(
                {"list": [bybit.ORDER | {"orderStatus": "Cancelled"}], "category": "spot"}
            ),
            "GET /v5/order/history": bybit.answer(
                {"list": [bybit.ORDER | {"orderStatus": "Cancelled"}], "category": "spot"}
            ),
        },
        fee=("0.0002", "BTC"),
        options={"options": {"enableUnifiedMargin": False, "enableUnifiedAccount": True}},
    ),
    "okx": Ways(
        urls={"rest": ""},
        replies={
            "POST /api/v5/trade/batch-orders": okx.answer(
                {"clOrdId": NAME, "ordId": "312269865356374016", "tag": "", "sCode": "0", "sMsg": ""}
            ),
            "GET /api/v5/trade/order": okx.answer(okx.ORDER),
            "GET /api/v5/trade/fills-history": okx.answer(okx.TRADE),
            "POST /api/v5/trade/cancel-order": okx.answer(
                {"clOrdId": NAME, "ordId": "312269865356374016", "sCode": "0", "sMsg": ""}
            ),
        },
        create=("POST /api/v5/trade/batch-orders", {"clOrdId": NAME, "sz": "0.5", "tgtCcy": "base_ccy"}),
        identity="312269865356374016",
        cancel=("POST /api/v5/trade/cancel-order", {"clOrdId": NAME}),
        after_cancel={"GET /api/v5/trade/order": okx.answer(okx.ORDER | {"state": "canceled"})},
        fee=("0.0002", "BTC"),
    ),
    "kucoin": Ways(
        urls=dict.fromkeys(("public", "private", "uta", "utaV2", "utaPrivate"), ""),
        replies={
            "POST /api/v1/hf/orders": kucoin.answer(
                {"orderId": "6717422bd51c29000775ea03", "clientOid": NAME}
            ),
            f"GET /api/v1/hf/orders/client-order/{NAME}": kucoin.answer(kucoin.ORDER),
            "GET /api/v1/hf/fills": kucoin.answer({"items": [kucoin.TRADE], "lastId": 1}),
            f"DELETE /api/v1/hf/orders/client-order/{NAME}": kucoin.answer({"clientOid": NAME}),
        },
        create=("POST /api/v1/hf/orders", {"clientOid": NAME, "size": "0.5"}),
        identity="6717422bd51c29000775ea03",
        cancel=(f"DELETE /api/v1/hf/orders/client-order/{NAME}", {}),
        after_cancel={
            f"GET /api/v1/hf/orders/client-order/{NAME}": kucoin.answer(
                kucoin.ORDER | {"active": False, "cancelExist": True, "inOrderBook": False}
            )
        },
        fee=("0.0199", "USDT"),
        options={"options": {"uta": False, "hf": True}},
    ),
    "gate": Ways(
        urls={},
        replies={
            "POST /spot/orders": gate.ORDER | {"left": "0.5", "filled_amount": "0", "filled_total": "0"},
            f"GET /spot/orders/t-{NAME}": gate.ORDER,
            "GET /spot/my_trades": [gate.TRADE],
            f"DELETE /spot/orders/t-{NAME}": gate.ORDER | {"status": "cancelled"},
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
            "POST /api/v2/spot/trade/place-order": bitget.answer(
                {"orderId": "1098394344925597696", "clientOid": NAME}
            ),
            "GET /api/v2/spot/trade/orderInfo": bitget.answer([bitget.ORDER]),
            "GET /api/v2/spot/trade/fills": bitget.answer([bitget.TRADE]),
            "POST /api/v2/spot/trade/cancel-order": bitget.answer(
                {"orderId": "1098394344925597696", "clientOid": NAME}
            ),
            "GET /api/v2/spot/market/tickers": bitget.answer(
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
            "GET /api/v2/spot/trade/orderInfo": bitget.answer([bitget.ORDER | {"status": "cancelled"}])
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
