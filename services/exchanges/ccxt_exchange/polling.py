"""Asks for the prices that no stream brings, all of them in one request where the exchange takes lists."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from loguru import logger

from services.exchanges.ccxt_exchange.outcomes import words_of
from services.tasks import end_tasks

_PAUSE_MAX_S = 4.0
"""Longer waits are the circuit breaker's matter, and its word ends this pause."""

Answered = Callable[[str, Mapping[str, Any]], None]
Ask = Callable[..., Awaitable[Any]]
"""`(what, method, *arguments)`: how a question is put, with its retries and its manners."""


async def plainly(_what: str, method: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Once, and without manners."""
    return await method(*arguments)


class Polling:
    """One task for all symbols that are polled; it ends while there is none, and can be begun again."""

    def __init__(self, exchange: Any, every_s: float, ask: Ask = plainly) -> None:
        self._exchange = exchange
        self._put = ask
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None
        self._hurried = asyncio.Event()

    def begin(self, symbols: Callable[[], Iterable[str]], answered: Answered) -> None:
        """Asks for `symbols()` in turns. It is harmless to begin what has begun."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(symbols, answered))

    def hurry(self) -> None:
        """The exchange answers again: what is polled is asked for now."""
        self._hurried.set()

    async def close(self) -> None:
        if self._task is not None:
            await end_tasks((self._task,))

    async def fetch(self, symbol: str) -> Mapping[str, Any]:
        """One symbol's price now. Raises what ccxt raises."""
        ticker: Mapping[str, Any] = await self._put("price", self._exchange.fetch_ticker, symbol)
        return ticker

    async def _run(self, symbols: Callable[[], Iterable[str]], answered: Answered) -> None:
        failures = 0
        while wanted := list(symbols()):
            try:
                await self._ask(wanted, answered)
                failures = 0
            except Exception as error:  # ccxt raises what its transport raises; the next turn asks again
                failures += 1
                if failures == 1:
                    words = words_of(error)
                    logger.bind(event="polling_failed", symbols=len(wanted), error=words).warning(
                        "polling_failed"
                    )
            pause_s = min(self._every_s * 2 ** min(failures, 8), max(_PAUSE_MAX_S, self._every_s))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurried.wait()
            self._hurried.clear()

    async def _ask(self, symbols: list[str], answered: Answered) -> None:
        if len(symbols) > 1 and self._exchange.has.get("fetchTickers"):
            tickers = await self._put("prices", self._exchange.fetch_tickers, symbols)
            for symbol in symbols:
                if symbol in tickers:
                    answered(symbol, tickers[symbol])
            return
        for symbol in symbols:
            answered(symbol, await self.fetch(symbol))
