"""What Binance answers over REST: orders, trades, a ticker, and the rules of its one market."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tests.exchanges.ccxt_exchange.shapes.story import NAME

TICKER = {
    "symbol": "BTCUSDT",
    "priceChange": "0.55000000",
    "priceChangePercent": "0.553",
    "weightedAvgPrice": "99.90000000",
    "prevClosePrice": "99.50000000",
    "lastPrice": "100.05000000",
    "lastQty": "0.00100000",
    "bidPrice": "100.00000000",
    "bidQty": "2.00000000",
    "askPrice": "100.10000000",
    "askQty": "1.00000000",
    "openPrice": "99.50000000",
    "highPrice": "101.00000000",
    "lowPrice": "99.00000000",
    "volume": "20.00000000",
    "quoteVolume": "2000.00000000",
    "openTime": 1699913600600,
    "closeTime": 1700000000600,
    "firstId": 28385,
    "lastId": 28460,
    "count": 76,
}


def binance_order(**changes: object) -> dict[str, object]:
    """A limit buy of 0.5 at 100, resting, as Binance's REST API answers for it."""
    return {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "orderListId": -1,
        "clientOrderId": NAME,
        "transactTime": 1_700_000_000_500,
        "price": "100.00000000",
        "origQty": "0.50000000",
        "executedQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        **changes,
    }


def binance_trade(number: int, quantity: str, price: str, fee: str, coin: str) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT",
        "id": number,
        "orderId": 28,
        "orderListId": -1,
        "price": price,
        "qty": quantity,
        "quoteQty": str(Decimal(quantity) * Decimal(price)),
        "commission": fee,
        "commissionAsset": coin,
        "time": 1_700_000_000_600,
        "isBuyer": True,
        "isMaker": False,
        "isBestMatch": True,
    }


def _filters(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [dict(row) for row in rows]


EXCHANGE_INFO: dict[str, object] = {
    "timezone": "UTC",
    "serverTime": 1_700_000_000_000,
    "rateLimits": [],
    "exchangeFilters": [],
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "quoteOrderQtyMarketAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "filters": _filters(
                [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": "0.01000000",
                        "maxPrice": "1000000.00000000",
                        "tickSize": "0.01000000",
                    },
                    {
                        "filterType": "LOT_SIZE",
                        "minQty": "0.00001000",
                        "maxQty": "9000.00000000",
                        "stepSize": "0.00001000",
                    },
                    {
                        "filterType": "MARKET_LOT_SIZE",
                        "minQty": "0.00000000",
                        "maxQty": "100.00000000",
                        "stepSize": "0.00000000",
                    },
                    {
                        "filterType": "NOTIONAL",
                        "minNotional": "5.00000000",
                        "maxNotional": "9000000.00000000",
                    },
                ]
            ),
        }
    ],
}
