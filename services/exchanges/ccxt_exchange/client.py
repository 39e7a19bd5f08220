"""The connections to one exchange: an instance for orders, one for questions, one for prices, and their clock."""

import asyncio
from collections.abc import Callable, Mapping
from time import time
from typing import Any, Protocol

from loguru import logger

from services.exchanges.ccxt_exchange.account_kind import learn_account_kind
from services.exchanges.ccxt_exchange.breaker import Breaker
from services.exchanges.ccxt_exchange.capabilities import Capabilities, capabilities_of
from services.exchanges.ccxt_exchange.connections import Connections
from services.exchanges.ccxt_exchange.dials import Dials
from services.exchanges.ccxt_exchange.instance import GrowingNonces, mannered_class
from services.exchanges.ccxt_exchange.options import refuse_bad_options
from services.exchanges.ccxt_exchange.outcomes import words_of
from services.exchanges.ccxt_exchange.probe import Probe
from services.exchanges.ccxt_exchange.questions import Questions
from services.exchanges.ccxt_exchange.throttle import Priority, urgency
from services.messages import QueryFailed
from services.tasks import end_tasks

RECV_WINDOW_MS = 5_000
"""Short, so that a late request is refused soon; ccxt's own is ten seconds on some exchanges."""


class Streams(Protocol):
    """What comes over websockets, and can be told that the exchange is back."""

    connections: Connections
    dials: Dials

    def hurry(self) -> None: ...


class Clients:
    """Three ccxt instances of one exchange: each has a queue of its own, so that none holds an order back.

    `orders` creates and cancels, `queries` asks and streams the account's orders, `market_data` brings prices.
    They share markets, clock and breaker. A call after `close` is refused.
    """

    def __init__(
        self, exchange_id: str, orders: Any, queries: Any, market_data: Any, now_ms: Callable[[], int]
    ) -> None:
        self.exchange_id = exchange_id
        self.orders = orders
        self.queries = queries
        self.market_data = market_data
        self.now_ms = now_ms
        self.capabilities: Capabilities = capabilities_of(queries)
        self.breaker = Breaker(now_ms)
        self.questions = Questions(self.breaker, self.notice_clock, now_ms)
        self.probe = Probe(self.breaker, self._ask_cheaply)
        self._followed: list[Streams] = []
        self.skew_ms: int | None = None
        """How far the exchange's clock was behind ours when last compared; None when it was not."""
        self._resync: asyncio.Task[None] | None = None
        self._closed = False

    async def load(self) -> None:
        """Markets, clock and, with keys, the kind of account. Raises QueryFailed."""
        await self.questions.ask(
            "markets", self.queries.load_markets, True
        )  # else ccxt keeps a garbled answer
        if not self.queries.markets:
            raise QueryFailed("markets: none were listed")
        for other in (self.orders, self.market_data):
            other.set_markets(self.queries.markets, self.queries.currencies)
        await self.resync_clock()
        if self.queries.check_required_credentials(False):
            kind = await learn_account_kind(self.queries, self.questions)
            for instance in (self.orders, self.queries, self.market_data):
                instance.options.update(kind)

    async def resync_clock(self) -> None:
        """Asks for the exchange's time where signatures carry ours. Raises QueryFailed."""
        if "timeDifference" not in self.queries.options or self.queries.has.get("fetchTime") is not True:
            return
        await self.questions.ask("time", self.queries.load_time_difference)
        self.skew_ms = int(self.queries.options["timeDifference"])
        for other in (self.orders, self.market_data):
            other.options["timeDifference"] = self.queries.options["timeDifference"]

    def notice_clock(self) -> None:
        """Compares clocks in the background, after the exchange refused a request for its time or number."""
        if not self._closed and (self._resync is None or self._resync.done()):
            self._resync = asyncio.create_task(self._resync_quietly())

    async def _resync_quietly(self) -> None:
        try:
            await self.resync_clock()
        except Exception as error:  # in the background: the next refusal tries again
            logger.bind(event="clock_not_compared", error=words_of(error)).warning("clock_not_compared")
            return
        logger.bind(event="clock_compared", skew_ms=self.skew_ms).info("clock_compared")

    def follow(self, streams: Streams) -> None:
        """Each connection of these streams has the probe ask at once; its answer has them dial and ask at once.

        What one of them hears has the others dial.
        """
        streams.connections.when_connected(lambda _: self.probe.hurry())
        for other in self._followed:
            other.dials.follow(streams.connections)
            streams.dials.follow(other.connections)
        self._followed.append(streams)
        self.breaker.when_closed(streams.hurry)

    async def _ask_cheaply(self) -> None:
        """Of the account where there are keys: prices and time go on while a maintenance keeps orders out."""
        queries = self.queries
        with urgency(Priority.EXIT):  # nothing else waits for as long as this is asked
            if queries.check_required_credentials(False):
                await self.questions.once("balance", queries.fetch_balance)
            elif queries.has.get("fetchTime") is True:
                await self.questions.once("time", queries.fetch_time)
            else:
                symbol = next(iter(queries.markets or ("BTC/USDT",)))
                await self.questions.once(f"price of {symbol}", queries.fetch_ticker, symbol)

    @property
    def recv_window_ms(self) -> int:
        """For how long after it was signed the exchange takes a request."""
        if not self.capabilities.has_window:
            return self.capabilities.window_ms
        window_ms = self.orders.options.get("recvWindow")
        return self.capabilities.window_ms if window_ms is None else int(window_ms)

    @property
    def is_closed(self) -> bool:
        return self._closed

    async def close(self) -> None:
        """Closes all for good; closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        await self.probe.close()
        if self._resync is not None:
            await end_tasks((self._resync,))
        await asyncio.gather(self.orders.close(), self.queries.close(), self.market_data.close())


def make_clients(
    exchange_id: str,
    options: Mapping[str, Any],
    keys: Mapping[str, str] | None = None,
    *,
    now_ms: Callable[[], int] | None = None,
) -> Clients:
    """All instances, with nothing asked of the network. Raises UnknownExchange or BadOptions.

    `options` go to the constructor as they stand, merged over our own defaults; `keys` are ccxt's (`apiKey`,
    `secret`, `password` ...) and win over them.
    """
    refuse_bad_options(options, exchange_id)
    exchange = mannered_class(exchange_id)
    nonces = GrowingNonces()

    def made() -> Any:
        instance = exchange(
            _merged(_merged(_defaults(exchange_id), options), {**(keys or {}), "number": str})
        )
        if capabilities_of(instance).nonces_grow:
            instance.dirigent_nonces = nonces
        instance.timeout_on_exit = 0  # sockets close before the loop does: there is nothing to wait for
        instance.log = _log  # ccxt prints, headers included; ours masks what is secret
        return instance

    return Clients(exchange_id, made(), made(), made(), now_ms or _now_ms)


async def open_clients(
    exchange_id: str,
    options: Mapping[str, Any],
    keys: Mapping[str, str] | None = None,
    *,
    now_ms: Callable[[], int] | None = None,
) -> Clients:
    """As `make_clients`, with markets loaded and clocks compared. Raises QueryFailed too; nothing stays open then."""
    clients = make_clients(exchange_id, options, keys, now_ms=now_ms)
    try:
        await clients.load()
    except BaseException:
        await clients.close()
        raise
    return clients


def _defaults(exchange_id: str) -> dict[str, Any]:
    """What an engine of spot orders wants, where the user says nothing else."""
    options: dict[str, Any] = {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchOpenOrders": {"warnWithoutSymbol": False},
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    }
    if exchange_id == "coinbase":
        del options["fetchMarkets"]  # there it is the name of a method
    if exchange_id in ("binance", "bybit"):
        options["recvWindow"] = RECV_WINDOW_MS
    if exchange_id == "binance":
        options["fetchCurrencies"] = False  # private calls at each start, for what no spot order needs
        options["fetchMargins"] = False
    return {"enableRateLimit": True, "options": options}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(held, value)
        else:
            merged[key] = value
    return merged


def _log(*parts: object) -> None:
    logger.bind(event="ccxt").debug(" ".join(str(part) for part in parts))


def _now_ms() -> int:
    return int(time() * 1000)
