"""What Bybit answers over REST: the story's order and its trade, and a ticker."""

from typing import Any

from tests.exchanges.ccxt_exchange.shapes.story import NAME

ORDER = {
    "symbol": "BTCUSDT",
    "orderType": "Limit",
    "orderLinkId": NAME,
    "orderId": "1523347543495541248",
    "side": "Buy",
    "orderStatus": "PartiallyFilled",
    "timeInForce": "GTC",
    "price": "100.00",
    "qty": "0.500000",
    "avgPrice": "99.50",
    "cumExecQty": "0.200000",
    "cumExecValue": "19.90000000",
    "cumExecFee": "0.000200000000",
    "leavesQty": "0.300000",
    "leavesValue": "30.0",
    "cancelType": "UNKNOWN",
    "rejectReason": "EC_NoError",
    "stopOrderType": "",
    "triggerPrice": "0.00",
    "createdTime": "1700000000334",
    "updatedTime": "1700000000600",
    "isLeverage": "0",
    "marketUnit": "",
}
TRADE = {
    "symbol": "BTCUSDT",
    "orderId": "1523347543495541248",
    "orderLinkId": NAME,
    "side": "Buy",
    "orderPrice": "100.00",
    "orderQty": "0.500000",
    "orderType": "Limit",
    "stopOrderType": "",
    "execId": "2290000000007764263",
    "execPrice": "99.50",
    "execQty": "0.200000",
    "execValue": "19.90000000",
    "execType": "Trade",
    "execFee": "0.0002",
    "feeCurrency": "BTC",
    "feeRate": "0.001",
    "isMaker": True,
    "execTime": "1700000000600",
}
TICKER = {
    "symbol": "BTCUSDT",
    "bid1Price": "100.00",
    "bid1Size": "2",
    "ask1Price": "100.10",
    "ask1Size": "1",
    "lastPrice": "100.05",
    "prevPrice24h": "99.50",
    "price24hPcnt": "0.0055",
    "highPrice24h": "101.00",
    "lowPrice24h": "99.00",
    "turnover24h": "2000.00",
    "volume24h": "20.0",
    "usdIndexPrice": "100.01",
}


def answer(result: object) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1700000000700}
