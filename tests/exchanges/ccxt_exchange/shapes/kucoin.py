"""What KuCoin answers over REST: the story's order and its trade."""

from typing import Any

from tests.exchanges.ccxt_exchange.shapes.story import NAME

ORDER = {
    "id": "6717422bd51c29000775ea03",
    "clientOid": NAME,
    "symbol": "BTC-USDT",
    "opType": "DEAL",
    "type": "limit",
    "side": "buy",
    "price": "100",
    "size": "0.5",
    "funds": "50",
    "dealSize": "0.2",
    "dealFunds": "19.9",
    "remainSize": "0.3",
    "remainFunds": "30",
    "cancelledSize": "0",
    "cancelledFunds": "0",
    "fee": "0.0199",
    "feeCurrency": "USDT",
    "timeInForce": "GTC",
    "postOnly": False,
    "hidden": False,
    "active": True,
    "inOrderBook": True,
    "cancelExist": False,
    "createdAt": 1700000000334,
    "lastUpdatedAt": 1700000000600,
    "tradeType": "TRADE",
}
TRADE = {
    "id": 19814995255305,
    "symbol": "BTC-USDT",
    "tradeId": "11029373945659392",
    "orderId": "6717422bd51c29000775ea03",
    "counterOrderId": "67174228135f9e000709da8c",
    "side": "buy",
    "liquidity": "maker",
    "forceTaker": False,
    "price": "99.5",
    "size": "0.2",
    "funds": "19.9",
    "fee": "0.0199",
    "feeRate": "0.001",
    "feeCurrency": "USDT",
    "stop": "",
    "tradeType": "TRADE",
    "type": "limit",
    "createdAt": 1700000000600,
}


def answer(data: object) -> dict[str, Any]:
    return {"code": "200000", "data": data}
