"""What OKX answers over REST: the story's order and its trade, and a ticker."""

from typing import Any

from tests.exchanges.ccxt_exchange.shapes.story import NAME

ORDER = {
    "accFillSz": "0.2",
    "avgPx": "99.5",
    "cTime": "1700000000334",
    "category": "normal",
    "ccy": "",
    "clOrdId": NAME,
    "fee": "-0.0002",
    "feeCcy": "BTC",
    "fillPx": "99.5",
    "fillSz": "0.2",
    "fillTime": "1700000000600",
    "instId": "BTC-USDT",
    "instType": "SPOT",
    "lever": "",
    "ordId": "312269865356374016",
    "ordType": "limit",
    "pnl": "0",
    "posSide": "",
    "px": "100",
    "rebate": "0",
    "rebateCcy": "USDT",
    "side": "buy",
    "state": "partially_filled",
    "sz": "0.5",
    "tag": "",
    "tdMode": "cash",
    "tgtCcy": "base_ccy",
    "tradeId": "242589207",
    "uTime": "1700000000600",
}
TRADE = {
    "instType": "SPOT",
    "instId": "BTC-USDT",
    "tradeId": "242589207",
    "ordId": "312269865356374016",
    "clOrdId": NAME,
    "billId": "312269865356374018",
    "tag": "",
    "fillPx": "99.5",
    "fillSz": "0.2",
    "side": "buy",
    "posSide": "net",
    "execType": "M",
    "feeCcy": "BTC",
    "fee": "-0.0002",
    "ts": "1700000000600",
    "fillTime": "1700000000600",
}
TICKER = {
    "instType": "SPOT",
    "instId": "BTC-USDT",
    "last": "100.05",
    "lastSz": "0.001",
    "askPx": "100.1",
    "askSz": "1",
    "bidPx": "100",
    "bidSz": "2",
    "open24h": "99.5",
    "high24h": "101",
    "low24h": "99",
    "volCcy24h": "2000",
    "vol24h": "20",
    "ts": "1700000000600",
    "sodUtc0": "99",
    "sodUtc8": "99",
}


def answer(*rows: object) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": list(rows)}
