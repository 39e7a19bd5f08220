"""What Bitget answers over REST: the story's order and its trade."""

from typing import Any

from tests.exchanges.ccxt_exchange.shapes.story import NAME

ORDER = {
    "userId": "1234567890",
    "symbol": "BTCUSDT",
    "orderId": "1098394344925597696",
    "clientOid": NAME,
    "price": "100",
    "size": "0.5",
    "orderType": "limit",
    "side": "buy",
    "status": "partially_filled",
    "priceAvg": "99.5",
    "baseVolume": "0.2",
    "quoteVolume": "19.9",
    "enterPointSource": "API",
    "feeDetail": "",
    "orderSource": "normal",
    "cTime": "1700000000334",
    "uTime": "1700000000600",
}
TRADE = {
    "userId": "1234567890",
    "symbol": "BTCUSDT",
    "orderId": "1098394344925597696",
    "tradeId": "1098394344974925824",
    "orderType": "limit",
    "side": "buy",
    "priceAvg": "99.5",
    "size": "0.2",
    "amount": "19.9",
    "feeDetail": {"deduction": "no", "feeCoin": "BTC", "totalDeductionFee": "", "totalFee": "-0.0002"},
    "tradeScope": "maker",
    "cTime": "1700000000600",
    "uTime": "1700000000600",
}


def answer(data: object) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "requestTime": 1700000000700, "data": data}
