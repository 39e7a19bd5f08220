"""Notices a feed that has gone silent, whatever its pongs say, and makes its one connection anew.

Silence alone proves nothing: a market may be quiet. So the exchange is asked for the price once: the same price means
quiet, another one, or no answer, means that the stream has stalled. Either way the answer is handed on as a price.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from services.exchanges.ccxt_exchange.outcomes import words_of
from services.tasks import end_tasks

if TYPE_CHECKING:
    from services.exchanges.ccxt_exchange.feeds import Feed, Feeds

_LOOK_EVERY_S = 1.0
_ASKED_AT_ONCE_MAX = 8
_DOUBLINGS_MAX = 4
"""The patience with a stream that never speaks again doubles so often: exchanges count new connections."""
_ANSWER_WITHIN_S = 5.0
_PRICE = ("last", "bid", "ask")


class Watchdog:
    """Looks at every feed of `feeds` about once a second, and more often where a feed counts as stale sooner."""

    def __init__(self, feeds: "Feeds") -> None:
        self._feeds = feeds
        self._every_s = min(_LOOK_EVERY_S, feeds.stale_after_s / 10)
        self._task: asyncio.Task[None] | None = None
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_ASKED_AT_ONCE_MAX)

    def begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        await end_tasks(task for task in (self._task, *self._asking.values()) if task is not None)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        silence_max_s = self._feeds.stale_after_s - self._every_s
        while True:
            await asyncio.sleep(self._every_s)
            for feed in self._feeds.feeds.values():
                patience_s = silence_max_s * 2 ** min(feed.failures, _DOUBLINGS_MAX)
                is_silent = loop.time() - feed.stream_heard_s >= patience_s
                if is_silent and feed.symbol not in self._asking and self._is_waiting(feed):
                    task = asyncio.create_task(self._look_into(feed))
                    self._asking[feed.symbol] = task
                    task.add_done_callback(partial(self._forget, feed.symbol))

    def _forget(self, symbol: str, _: object) -> None:
        self._asking.pop(symbol, None)

    def _is_waiting(self, feed: "Feed") -> bool:
        return self._feeds.connections.of(feed.symbol) is not None

    async def _look_into(self, feed: "Feed") -> None:
        connections, loop = self._feeds.connections, asyncio.get_running_loop()
        client, heard_s, before = connections.of(feed.symbol), feed.stream_heard_s, feed.last
        async with self._turns:
            if client is None or feed.stream_heard_s != heard_s:
                return
            now = await self._ask(feed)
        if feed.stream_heard_s != heard_s:
            return
        feed.stream_heard_s = loop.time()
        if now is not None:
            self._feeds.deliver(feed, now, is_answer=True)
            if before is not None and is_same_price(before, now):
                return
        silence_s = loop.time() - heard_s
        why = f"silent for {silence_s:.1f} s while {'its price moved' if now else 'no question is answered'}"
        logger.bind(event="feed_stalled", symbol=feed.symbol, reason=why).warning("feed_stalled")
        feed.is_stalled, feed.fault = True, why
        connections.make_anew(client, f"{feed.symbol}: {why}")

    async def _ask(self, feed: "Feed") -> dict[str, Any] | None:
        """None when it is not answered soon."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                answer = await self._feeds.polling.fetch(feed.symbol)
        except Exception as error:  # ccxt raises what its transport raises: no answer
            words = words_of(error)
            logger.bind(event="price_not_told", symbol=feed.symbol, error=words).debug("price_not_told")
            return None
        return dict(answer)


def is_same_price(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """As numbers, in what both name: a stream and an answer may write the same price with other digits."""
    pairs = [(one.get(name), other.get(name)) for name in _PRICE]
    return all(a is None or b is None or Decimal(str(a)) == Decimal(str(b)) for a, b in pairs)
