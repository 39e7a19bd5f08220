"""What the rehearsal exchange can be asked, by HTTP method and path: each question, its answer, who may ask it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dirigent.rehearsal import account_operations as account
from dirigent.rehearsal import market_operations as market
from dirigent.rehearsal.parameters import Parameters
from dirigent.rehearsal.venue import Venue

Answer = Callable[[Venue, Parameters], Any]


class Access(Enum):
    PUBLIC = "public"
    KEY = "key"
    """The API key alone."""
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    access: Access
    answer: Answer
    weight: int = 1
    trades: bool = False
    """It creates or cancels an order."""
    creates: bool = False


_PUBLIC, _KEY, _SIGNED = Access.PUBLIC, Access.KEY, Access.SIGNED

# fmt: off
_ROWS = (
    Operation("GET /api/v3/ping",                     _PUBLIC, market.ping),
    Operation("GET /api/v3/time",                     _PUBLIC, market.server_time),
    Operation("GET /api/v3/exchangeInfo",             _PUBLIC, market.exchange_info, 20),
    Operation("GET /api/v3/depth",                    _PUBLIC, market.depth, 5),
    Operation("GET /api/v3/trades",                   _PUBLIC, market.trades, 25),
    Operation("GET /api/v3/aggTrades",                _PUBLIC, market.aggregate_trades, 4),
    Operation("GET /api/v3/klines",                   _PUBLIC, market.candles, 2),
    Operation("GET /api/v3/avgPrice",                 _PUBLIC, market.average_price, 2),
    Operation("GET /api/v3/ticker/24hr",              _PUBLIC, market.day, 2),
    Operation("GET /api/v3/ticker/price",             _PUBLIC, market.price, 2),
    Operation("GET /api/v3/ticker/bookTicker",        _PUBLIC, market.best, 2),
    Operation("GET /fapi/v1/exchangeInfo",            _PUBLIC, market.no_contracts),
    Operation("GET /dapi/v1/exchangeInfo",            _PUBLIC, market.no_contracts),
    Operation("GET /sapi/v1/system/status",           _PUBLIC, market.system_status),
    Operation("POST /api/v3/order",                   _SIGNED, account.create, 1, trades=True, creates=True),
    Operation("POST /api/v3/order/test",              _SIGNED, account.test_order),
    Operation("DELETE /api/v3/order",                 _SIGNED, account.cancel, 1, trades=True),
    Operation("DELETE /api/v3/openOrders",            _SIGNED, account.cancel_all, 1, trades=True),
    Operation("GET /api/v3/order",                    _SIGNED, account.order, 4),
    Operation("GET /api/v3/openOrders",               _SIGNED, account.open_orders, 6),
    Operation("GET /api/v3/allOrders",                _SIGNED, account.all_orders, 20),
    Operation("GET /api/v3/myTrades",                 _SIGNED, account.my_trades, 20),
    Operation("GET /api/v3/account",                  _SIGNED, account.account, 20),
    Operation("GET /api/v3/account/commission",       _SIGNED, account.commission, 20),
    Operation("POST /api/v3/userDataStream",          _KEY,    account.create_listen_key, 2),
    Operation("PUT /api/v3/userDataStream",           _KEY,    account.keep_listen_key, 2),
    Operation("DELETE /api/v3/userDataStream",        _KEY,    account.close_listen_key, 2),
    Operation("GET /sapi/v1/capital/config/getall",   _SIGNED, account.coins, 10),
    Operation("GET /sapi/v1/account/apiRestrictions", _SIGNED, account.restrictions),
    Operation("GET /sapi/v1/margin/allPairs",         _SIGNED, account.no_margin),
    Operation("GET /sapi/v1/margin/isolated/allPairs", _SIGNED, account.no_margin),
    Operation("GET /sapi/v1/asset/tradeFee",          _SIGNED, account.trade_fees),
)
# fmt: on

OPERATIONS = {operation.name: operation for operation in _ROWS}

WS_METHODS = {
    "ping": "GET /api/v3/ping",
    "time": "GET /api/v3/time",
    "exchangeInfo": "GET /api/v3/exchangeInfo",
    "depth": "GET /api/v3/depth",
    "klines": "GET /api/v3/klines",
    "ticker.price": "GET /api/v3/ticker/price",
    "ticker.book": "GET /api/v3/ticker/bookTicker",
    "trades.recent": "GET /api/v3/trades",
    "order.place": "POST /api/v3/order",
    "order.cancel": "DELETE /api/v3/order",
    "order.status": "GET /api/v3/order",
    "openOrders.status": "GET /api/v3/openOrders",
    "openOrders.cancelAll": "DELETE /api/v3/openOrders",
    "allOrders": "GET /api/v3/allOrders",
    "myTrades": "GET /api/v3/myTrades",
    "account.status": "GET /api/v3/account",
}
"""The same questions over the websocket API."""
