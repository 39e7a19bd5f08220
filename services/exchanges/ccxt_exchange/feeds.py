"""Prices of one exchange through ccxt: a stream a symbol, and polling where streams are missing or keep failing.

Each symbol has a task of its own that reads its stream and keeps only the newest ticker; `watch_ticker` hands that
out, once. Being cancelled, being slow, or asking late costs a reader nothing and loses no newest price.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loguru import logger

from services.exchanges.ccxt_exchange.books import Books
from services.exchanges.ccxt_exchange.connections import Connections, serve
from services.exchanges.ccxt_exchange.dials import Dials
from services.exchanges.ccxt_exchange.outcomes import is_of_network, words_of
from services.exchanges.ccxt_exchange.polling import Ask, Polling, plainly
from services.messages import QueryFailed
from services.order_book import BookLevels
from services.ports import Clock
from services.tasks import end_tasks

STREAM_FAILURES_MAX = 3
"""So many failures in a row without a price in between, and the symbol is polled until its stream speaks again."""
_POLLED_AFTER_S = 1.0
"""So long without a turn to dial, and it is polled, too."""
POLLED_NAMED_MAX = 5
"""With so many polled at a time it is the exchange, and no symbol is news: the others are told at debug."""
_REFUSED_AGAIN_S = 30.0
"""The longest pause between two attempts at a stream that the exchange refuses."""


class Source(StrEnum):
    STREAM = "stream"
    POLLING = "polling"


@dataclass(slots=True)
class Feed:
    """One symbol's prices; times are of the event loop's clock, in seconds."""

    symbol: str
    source: Source
    began_s: float
    stream_heard_s: float
    """When the stream was last heard, or its present attempt began."""
    heard_s: float | None = None
    """When any price was last heard, from whichever source."""
    newest: dict[str, Any] | None = None
    """Heard, and not yet handed out."""
    last: dict[str, Any] | None = None
    """The last one heard, handed out or not."""
    seen: object = None
    """ccxt's own object of the last ticker that was taken from its cache."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0
    reconnects: int = 0
    is_stalled: bool = False
    """The exchange has prices that the stream did not bring."""
    fault: str = ""
    stalls_cured: int = 0
    cured_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How one symbol's prices come in, for people. `age_ms` is since the last price heard, None before the first.

    `stalls_cured` counts the times when the stream had fallen silent, was made anew and spoke again.
    """

    symbol: str
    source: str
    age_ms: int | None
    is_stale: bool
    reconnects: int = 0
    fault: str = ""
    stalls_cured: int = 0
    cured_at_ms: int | None = None
    """When it last was."""


class Feeds:
    """A TickerFeed over one instance of `ccxt.pro` that serves nothing but market data."""

    def __init__(
        self,
        exchange: Any,
        clock: Clock,
        *,
        stale_after_s: float,
        poll_every_s: float = 2.0,
        ask: Ask = plainly,
    ) -> None:
        from services.exchanges.ccxt_exchange.watchdog import Watchdog

        self.exchange = exchange
        self.clock = clock
        self.stale_after_s = stale_after_s
        self.connections = Connections(exchange)
        self.dials = Dials()
        self.dials.follow(self.connections)
        self._parameters = _stream_chosen(exchange)
        self.polling = Polling(exchange, min(poll_every_s, stale_after_s / 3), ask)
        self.watchdog = Watchdog(self)
        self.books = Books(exchange, clock, self.connections, self.dials)
        self.feeds: dict[str, Feed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        """The newest ticker not yet handed out; waits for it. Numbers are strings, the time is always given.

        Raises QueryFailed once the feeds are closed.
        """
        feed = self.feeds.get(symbol) or self._begin(symbol)
        while feed.newest is None:
            if self._is_closed:
                raise QueryFailed(f"{symbol}: the feeds are closed")
            feed.arrived.clear()
            await feed.arrived.wait()
        ticker, feed.newest = feed.newest, None
        return ticker

    @property
    def streams_order_books(self) -> bool:
        return self.books.are_streamed

    async def watch_order_book(self, symbol: str, levels: int) -> BookLevels:
        """Waits for the next change of the book. Raises QueryFailed."""
        return await self.books.watch(symbol, levels)

    async def unwatch_order_book(self, symbol: str) -> None:
        """Never raises."""
        await self.books.unwatch(symbol)

    def hurry(self) -> None:
        """The exchange answers again: streams that wait are tried, and what is polled is asked for, now."""
        self.dials.hurry()
        self.polling.hurry()

    def status(self) -> list[FeedStatus]:
        now_s = asyncio.get_running_loop().time()
        return [self._status(feed, now_s) for feed in self.feeds.values()]

    def is_stale(self, feed: Feed, now_s: float) -> bool:
        heard_s = feed.began_s if feed.heard_s is None else feed.heard_s
        return feed.is_stalled or now_s - heard_s >= self.stale_after_s

    async def close(self) -> None:
        """Ends the tasks and wakes who waits; the exchange instance is closed by who opened it."""
        self._is_closed = True
        await end_tasks(self._tasks)
        await asyncio.gather(self.polling.close(), self.watchdog.close())
        for feed in self.feeds.values():
            feed.arrived.set()

    def deliver(self, feed: Feed, ticker: Mapping[str, Any], *, is_answer: bool = False) -> None:
        """ccxt changes its objects later: what is kept is a copy.

        The answer to a question is the price of now, though some exchanges date it by the last trade. Where the
        exchange's clock is ahead of ours, a price is of now too: else it would count as fresh for too long.
        """
        kept, now_ms = dict(ticker), self.clock.now_ms()
        last_ms = feed.last["timestamp"] if feed.last else 0
        told_ms = kept.get("timestamp")
        if told_ms is None or told_ms > now_ms or (is_answer and told_ms < last_ms):
            kept["timestamp"] = max(now_ms, last_ms)
        feed.heard_s = asyncio.get_running_loop().time()
        feed.last = feed.newest = kept
        feed.arrived.set()

    def _status(self, feed: Feed, now_s: float) -> FeedStatus:
        age_ms = None if feed.heard_s is None else int((now_s - feed.heard_s) * 1000)
        return FeedStatus(
            feed.symbol,
            feed.source,
            age_ms,
            self.is_stale(feed, now_s),
            feed.reconnects,
            feed.fault,
            feed.stalls_cured,
            feed.cured_at_ms,
        )

    def _begin(self, symbol: str) -> Feed:
        if self._is_closed:
            raise QueryFailed(f"{symbol}: the feeds are closed")
        now_s = asyncio.get_running_loop().time()
        streams = bool(self.exchange.has.get("watchTicker"))
        feed = Feed(symbol, Source.STREAM if streams else Source.POLLING, now_s, now_s)
        self.feeds[symbol] = feed
        if streams:
            self._spawn(self._read_stream(feed))
            self.watchdog.begin()
        else:
            feed.fault = f"{self.exchange.id} streams no tickers"
            self._poll()
        return feed

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _poll(self) -> None:
        self.polling.begin(self._polled, self._answered)

    def _polled(self) -> Iterable[str]:
        return [feed.symbol for feed in self.feeds.values() if feed.source is Source.POLLING]

    def _answered(self, symbol: str, ticker: Mapping[str, Any]) -> None:
        feed = self.feeds[symbol]
        if feed.source is Source.POLLING:
            self.deliver(feed, ticker, is_answer=True)

    async def _read_stream(self, feed: Feed) -> None:
        """Of a burst only the newest is taken. A symbol that is polled goes back to its stream when that speaks."""
        serve(feed.symbol)
        loop, exchange, symbol = asyncio.get_running_loop(), self.exchange, feed.symbol
        while True:
            cached = exchange.tickers.get(symbol) if feed.seen is not None else None
            try:
                ticker = (
                    cached
                    if cached is not feed.seen
                    else await exchange.watch_ticker(symbol, self._parameters)
                )
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._is_closed or (task is not None and task.cancelling()):
                    raise
                await self._failed(feed, "the connection was closed")  # ccxt cancels who waits on it
            except Exception as error:  # ccxt raises what its transport raises
                self._let_go(feed, error)
                await self._failed(feed, words_of(error), is_refused=not is_of_network(error))
            else:
                feed.seen = newest = exchange.tickers.get(symbol, ticker)
                feed.stream_heard_s = loop.time()
                if feed.failures or feed.is_stalled or feed.source is Source.POLLING:
                    self._recovered(feed)
                self.deliver(feed, newest)

    def _recovered(self, feed: Feed) -> None:
        logger.bind(event="feed_streams_again", symbol=feed.symbol).info("feed_streams_again")
        if feed.is_stalled:
            feed.stalls_cured, feed.cured_at_ms = feed.stalls_cured + 1, self.clock.now_ms()
        feed.source = Source.STREAM
        feed.failures, feed.is_stalled, feed.fault = 0, False, ""

    def _let_go(self, feed: Feed, error: Exception) -> None:
        """After a failed read ccxt keeps the dead connection, and would wait on it for ever."""
        client = self.connections.of(feed.symbol)
        if client is not None and is_of_network(error):
            self.connections.make_anew(client, words_of(error))

    async def _failed(self, feed: Feed, why: str, *, is_refused: bool = False) -> None:
        feed.failures += 1
        feed.reconnects += 1
        feed.fault = why
        if feed.failures >= STREAM_FAILURES_MAX:
            self._give_up(feed)
        if is_refused and feed.source is Source.POLLING:
            await self.dials.refused_turn(feed.symbol, feed.failures, _REFUSED_AGAIN_S)
        else:
            giving_up = asyncio.get_running_loop().call_later(_POLLED_AFTER_S, self._give_up, feed)
            try:
                await self.dials.turn(self.connections.url_of(feed.symbol), feed.failures)
            finally:
                giving_up.cancel()
        feed.stream_heard_s = asyncio.get_running_loop().time()

    def _give_up(self, feed: Feed) -> None:
        """For now: questions bring its price until the stream speaks again."""
        if feed.source is Source.POLLING:
            return
        feed.source = Source.POLLING
        level = "WARNING" if len(list(self._polled())) <= POLLED_NAMED_MAX else "DEBUG"
        logger.bind(event="feed_is_polled", symbol=feed.symbol, reason=feed.fault).log(
            level, "feed_is_polled"
        )
        self._poll()


def _stream_chosen(exchange: Any) -> dict[str, str]:
    """Binance's client overlooks its own option for the stream with bid and ask, and takes the one without."""
    if not str(exchange.id).startswith("binance"):
        return {}
    return {"name": (exchange.options.get("watchTicker") or {}).get("name") or "ticker"}
