"""Watches the order books that strategies ask for, each for as long as one of its pair does."""

import asyncio
import random
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from loguru import logger

from dirigent.order_books import asked_for, none_there
from dirigent.running import Run
from dirigent.wiring import Engine
from services.messages import QueryFailed
from services.order_book import NOT_HEARD, OrderBook
from services.ports import OrderBookFeed
from services.tasks import end_tasks

LOOK_S = 0.5
"""The pause between two looks at who asks for a book."""
_PAUSE_MIN_S = 0.25
_PAUSE_MAX_S = 3.0
"""Part of how long a recovery takes after the exchange was away."""


@runtime_checkable
class HasOrderBooks(Protocol):
    """A venue whose prices come over a network, perhaps with order books."""

    def order_books(self) -> OrderBookFeed | None: ...


async def watch_order_books(run: Run) -> None:
    """Watches the books that the strategies of traded pairs ask for, on trial or not, until it is cancelled."""
    await BookWatch(run.engine, feed_of(run.exchange), run.settings.exchange.id).keep()


def feed_of(venue: object) -> OrderBookFeed | None:
    """None for an exchange that streams no books."""
    feed = venue.order_books() if isinstance(venue, HasOrderBooks) else None
    return feed if feed is not None and feed.streams_order_books else None


class BookWatch:
    """One task for each book that is asked for; none for another."""

    def __init__(self, engine: Engine, feed: OrderBookFeed | None, exchange_id: str) -> None:
        self.engine = engine
        self._feed = feed
        self._fault = none_there(exchange_id)
        self._is_told = False
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def keep(self) -> None:
        try:
            while True:
                wanted = asked_for(self.engine)
                if self._feed is None:
                    self._tell_none(wanted)
                else:
                    await self._watch(wanted, self._feed)
                await asyncio.sleep(LOOK_S)
        finally:
            await end_tasks(self.tasks.values())

    def _tell_none(self, wanted: Mapping[str, OrderBook]) -> None:
        for book in wanted.values():
            book.lose(self._fault)
        if wanted and not self._is_told:
            self._is_told = True
            logger.bind(event="no_order_book", symbols=sorted(wanted), reason=self._fault).warning(
                "no_order_book"
            )

    async def _watch(self, wanted: Mapping[str, OrderBook], feed: OrderBookFeed) -> None:
        """Raises what a task raised."""
        for symbol, book in wanted.items():
            if symbol not in self.tasks:
                self.tasks[symbol] = asyncio.create_task(_kept_up(feed, symbol, book))
        for symbol, task in list(self.tasks.items()):
            if task.done() or symbol not in wanted:
                (fault,) = await end_tasks((task,))
                del self.tasks[symbol]
                if fault is not None:
                    raise fault
                await feed.unwatch_order_book(symbol)


async def _kept_up(feed: OrderBookFeed, symbol: str, book: OrderBook) -> None:
    """The newest book always; none after a failure, until the stream speaks again."""
    failures = 0
    try:
        while levels := book.levels:
            try:
                book.take(await feed.watch_order_book(symbol, levels))
                failures = 0
            except QueryFailed as error:
                book.lose(str(error))
                failures += 1
                if failures == 1:
                    logger.bind(event="order_book_lost", symbol=symbol, error=str(error)).warning(
                        "order_book_lost"
                    )
                pause_s = min(_PAUSE_MIN_S * 2 ** min(failures - 1, 10), _PAUSE_MAX_S)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
    finally:
        book.lose(NOT_HEARD)
