"""What Kraken answers over REST: the story's order and its trade, and a ticker."""

from typing import Any

from tests.exchanges.ccxt_exchange.shapes.story import NAME

ORDER = {
    "refid": None,
    "userref": 0,
    "cl_ord_id": NAME,
    "status": "open",
    "opentm": 1700000000.3342,
    "starttm": 0,
    "expiretm": 0,
    "descr": {
        "pair": "XBTUSDT",
        "type": "buy",
        "ordertype": "limit",
        "price": "100.00",
        "price2": "0",
        "leverage": "none",
        "order": "buy 0.50000000 XBTUSDT @ limit 100.00",
        "close": "",
    },
    "vol": "0.50000000",
    "vol_exec": "0.20000000",
    "cost": "19.90000",
    "fee": "0.03184",
    "price": "99.50000",
    "stopprice": "0.00000",
    "limitprice": "0.00000",
    "misc": "",
    "oflags": "fciq",
    "trades": ["TT5UC3-GOIRW-6AZZ6R"],
}
TRADE = {
    "ordertxid": "OTLAS3-RRHUF-NDWH5A",
    "postxid": "TKH2SE-M7IF5-CFI7LT",
    "pair": "XBTUSDT",
    "time": 1700000000.6,
    "type": "buy",
    "ordertype": "limit",
    "price": "99.50000",
    "cost": "19.90000",
    "fee": "0.03184",
    "vol": "0.20000000",
    "margin": "0.00000",
    "leverage": "0",
    "misc": "",
    "trade_id": 93748276,
    "maker": True,
}
TICKER = {
    "a": ["100.10000", "1", "1.000"],
    "b": ["100.00000", "2", "2.000"],
    "c": ["100.05000", "0.00100000"],
    "v": ["10.00000000", "20.00000000"],
    "p": ["99.90000", "99.80000"],
    "t": [100, 200],
    "l": ["99.00000", "98.00000"],
    "h": ["101.00000", "102.00000"],
    "o": "99.50000",
}


def answer(result: object) -> dict[str, Any]:
    return {"error": [], "result": result}
