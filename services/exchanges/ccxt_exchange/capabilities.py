"""What each exchange can do, and how it wants to be asked: one row an exchange, and a cautious guess for the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import CodeType
from typing import Any


class CannotTrade(Exception):
    """The exchange lacks what the order protocol needs; the message names it."""


class Source(StrEnum):
    """A place where an order can be found."""

    CLIENT_ID = "by client id"
    OPEN = "open orders"
    CLOSED = "closed orders"
    ENDED = "closed and cancelled orders"
    ALL = "all orders"
    TRADES = "trades"


class Cancel(StrEnum):
    """How an order is named when it is to be cancelled."""

    CLIENT_ID = "by client id"
    PREFIXED_ID = "by client id in the place of the id"
    EXCHANGE_ID = "by the exchange's id"


class Trades(StrEnum):
    """How the trades of one order are asked for."""

    OF_ORDER = "by order"
    BY_PARAMETER = "own trades, asked for by order id"
    BY_TRADE_IDS = "by the trade ids that the order names"
    PICKED = "own trades, picked by order id"


class Buy(StrEnum):
    """What the amount of a market buy means to the exchange."""

    COINS = "coins"
    MONEY = "money"
    """Such a buy is sent as an immediate-or-cancel limit order instead: its amount stays coins."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One exchange's row."""

    exchange_id: str
    is_known: bool
    """From the table; else guessed from what ccxt says of the exchange."""
    create_as: str
    """The parameter of `create_order` that carries the client id."""
    create_also: Mapping[str, str]
    """Further parameters of every order."""
    prefix: str
    """What the exchange puts before a client id."""
    sources: tuple[Source, ...]
    """Where an order is looked for; only when all of them say no is there none."""
    list_by: str
    """The parameter that narrows lists of orders to one client id; empty where there is none."""
    cancel: Cancel
    cancel_by: str
    trades: Trades
    market_buy: Buy
    lists: tuple[type, ...]
    """What a list of orders looks like on the wire; anything else is no answer."""
    window_ms: int
    """For how long after it was signed a request may be accepted; a guess unless `has_window`."""
    has_window: bool
    """Whether the exchange takes a `recvWindow`."""
    nonces_grow: bool
    """Whether a request with a smaller number than an earlier one is refused."""
    fees_in_trades: bool
    stop_orders: bool
    order_book: bool
    ticker_stream: bool
    order_stream: bool
    lacks: tuple[str, ...] = ()
    """What the order protocol needs and the exchange has not, in words."""

    @property
    def looks_up_by_id(self) -> bool:
        return Source.CLIENT_ID in self.sources


_ID, _OPEN, _CLOSED, _ENDED, _ALL, _TRADES = Source
_GUESS_MS = 30_000

# fmt: off
_NAMES = {
    #             create as           prefix  narrow lists by    cancel               cancel by
    "binance":  ("clientOrderId",    "",     "",                Cancel.CLIENT_ID,    "clientOrderId"),
    "kraken":   ("clientOrderId",    "",     "clientOrderId",   Cancel.CLIENT_ID,    "clientOrderId"),
    "coinbase": ("client_order_id",  "",     "",                Cancel.EXCHANGE_ID,  ""),  # drops `clientOrderId`
    "bybit":    ("clientOrderId",    "",     "orderLinkId",     Cancel.CLIENT_ID,    "orderLinkId"),
    "okx":      ("clientOrderId",    "",     "",                Cancel.CLIENT_ID,    "clientOrderId"),
    "kucoin":   ("clientOrderId",    "",     "",                Cancel.CLIENT_ID,    "clientOrderId"),
    "gate":     ("clientOrderId",    "t-",   "",                Cancel.PREFIXED_ID,  ""),  # ignores the parameter
    "bitget":   ("clientOrderId",    "",     "",                Cancel.CLIENT_ID,    "clientOrderId"),
}
"""How an order is named."""

_WAYS = {
    #             sources                         trades               market buy  lists    window
    "binance":  ((_ID, _OPEN, _ALL),             Trades.BY_PARAMETER, Buy.COINS,  (list,), 5_000),
    "kraken":   ((_OPEN, _CLOSED),               Trades.BY_TRADE_IDS, Buy.COINS,  (dict,), None),
    "coinbase": ((_OPEN, _ALL),                  Trades.PICKED,       Buy.MONEY,  (dict,), None),
    "bybit":    ((_OPEN, _ENDED, _TRADES),       Trades.OF_ORDER,     Buy.COINS,  (dict,), 5_000),
    "okx":      ((_ID, _OPEN, _CLOSED, _TRADES), Trades.OF_ORDER,     Buy.COINS,  (dict,), None),
    "kucoin":   ((_ID, _OPEN, _CLOSED),          Trades.OF_ORDER,     Buy.COINS,  (dict,), None),
    "gate":     ((_ID, _OPEN, _CLOSED),          Trades.OF_ORDER,     Buy.MONEY,  (list,), None),
    "bitget":   ((_ID, _OPEN, _ENDED),           Trades.BY_PARAMETER, Buy.MONEY,  (dict,), None),
}
"""How it is asked for, and what the exchange makes of a market buy."""
# fmt: on

_CREATE_ALSO = {"kraken": {"oflags": "fciq"}}
"""Kraken takes the fee in either coin, and says in none of its trades which: so it is told."""
_NONCES_GROW = frozenset({"kraken"})

KNOWN = tuple(_NAMES)

NEEDS = {
    "createOrder": "orders cannot be created",
    "cancelOrder": "orders cannot be cancelled",
    "fetchOpenOrders": "open orders cannot be listed",
    "fetchBalance": "the balance cannot be asked for",
}
"""Every exchange has to have these; the rest may be had in one way or another."""


def capabilities_of(exchange: Any) -> Capabilities:
    """The row of a constructed ccxt exchange; what it lacks is in `lacks`, and nothing is asked of the network."""
    has: Mapping[str, Any] = exchange.has
    is_known = exchange.id in _NAMES
    values = _row(exchange.id) if is_known else _guess(exchange)
    lacks = list(_lacking(has)) if is_known else [*_lacking(has), *_unsure(exchange, values)]
    stops = ("createStopOrder", "createTriggerOrder", "createStopLossOrder", "createStopMarketOrder")
    return Capabilities(
        exchange_id=exchange.id,
        is_known=is_known,
        nonces_grow=exchange.id in _NONCES_GROW,
        fees_in_trades=is_known,
        stop_orders=any(_can(has, stop) for stop in stops),
        order_book=_can(has, "fetchOrderBook"),
        ticker_stream=_can(has, "watchTicker"),
        order_stream=_can(has, "watchOrders"),
        lacks=tuple(lacks),
        **values,
    )


def has_no_window(exchange_id: str) -> bool:
    """Whether the exchange is known to take no `recvWindow`."""
    return exchange_id in _WAYS and _WAYS[exchange_id][-1] is None


def refuse_what_is_lacking(capabilities: Capabilities) -> None:
    """Raises CannotTrade with every reason at once."""
    if capabilities.lacks:
        reasons = "; ".join(capabilities.lacks)
        known = ", ".join(KNOWN)
        raise CannotTrade(
            f"{capabilities.exchange_id} cannot carry the order protocol: {reasons}; these can: {known}"
        )


def _can(has: Mapping[str, Any], method: str) -> bool:
    """Emulated ones do not count: they add up answers that they cached."""
    return has.get(method) is True


def _lacking(has: Mapping[str, Any]) -> Iterator[str]:
    for method, words in NEEDS.items():
        if not _can(has, method):
            yield f"{words} ({method})"
    if not (_can(has, "fetchMyTrades") or _can(has, "fetchOrderTrades")):
        yield "what filled, and at which fee, cannot be asked for (fetchMyTrades, fetchOrderTrades)"
    if not any(_can(has, method) for method in ("watchTicker", "fetchTicker", "fetchTickers")):
        yield "it gives no prices (watchTicker, fetchTicker, fetchTickers)"


def _row(exchange_id: str) -> dict[str, Any]:
    create_as, prefix, list_by, cancel, cancel_by = _NAMES[exchange_id]
    sources, trades, market_buy, lists, window_ms = _WAYS[exchange_id]
    return {
        "create_as": create_as,
        "create_also": _CREATE_ALSO.get(exchange_id, {}),
        "prefix": prefix,
        "list_by": list_by,
        "cancel": cancel,
        "cancel_by": cancel_by,
        "sources": sources,
        "trades": trades,
        "market_buy": market_buy,
        "lists": lists,
        "window_ms": window_ms or _GUESS_MS,
        "has_window": window_ms is not None,
    }


def _guess(exchange: Any) -> dict[str, Any]:
    """Lists are searched, names are not relied upon where they can be avoided, and times are long.

    A window is one that the exchange's own class names: an option of the user's gives no exchange one.
    """
    has = exchange.has
    window_ms = type(exchange)().options.get("recvWindow")
    ended = [
        source
        for source, method in (
            (_ALL, "fetchOrders"),
            (_ENDED, "fetchCanceledAndClosedOrders"),
            (_CLOSED, "fetchClosedOrders"),
        )
        if _can(has, method)
    ]
    return {
        "create_as": "clientOrderId",
        "create_also": {},
        "prefix": "",
        "sources": (_OPEN, *ended),
        "list_by": "",
        "cancel": Cancel.EXCHANGE_ID,
        "cancel_by": "",
        "trades": Trades.OF_ORDER if _can(has, "fetchOrderTrades") else Trades.PICKED,
        "market_buy": Buy.MONEY if _wants_money(exchange.options) else Buy.COINS,
        "lists": (list, dict),
        "window_ms": _GUESS_MS if window_ms is None else int(window_ms),
        "has_window": window_ms is not None,
    }


def _unsure(exchange: Any, values: Mapping[str, Any]) -> Iterator[str]:
    if not set(values["sources"]) & {_CLOSED, _ENDED, _ALL}:
        yield "ended orders cannot be looked up (fetchOrders, fetchClosedOrders, fetchCanceledAndClosedOrders)"
    if not _knows_client_ids(exchange):
        yield "it is not known to take client order ids (clientOrderId)"


def _wants_money(options: Mapping[str, Any]) -> bool:
    name = "createMarketBuyOrderRequiresPrice"
    below = options.get("createOrder")
    return bool(options.get(name) or (isinstance(below, Mapping) and below.get(name)))


def _knows_client_ids(exchange: Any) -> bool:
    """Whether the code that writes its orders, or reads them, speaks of client ids at all."""
    writers = ("create_order", "create_order_request", "create_spot_order_request")
    read = _speaks_of(exchange, ("parse_order",), "clientOrderId")
    return read and _speaks_of(exchange, writers, "clientOrderId")


def _speaks_of(exchange: Any, methods: tuple[str, ...], word: str) -> bool:
    codes = (getattr(getattr(type(exchange), method, None), "__code__", None) for method in methods)
    return any(word in _constants(code) for code in codes if code is not None)


def _constants(code: CodeType) -> Iterator[object]:
    for constant in code.co_consts:
        if isinstance(constant, tuple):
            yield from constant
        yield constant
