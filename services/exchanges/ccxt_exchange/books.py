"""Order books of one exchange through ccxt: each heard change is copied, as ccxt goes on changing its own object."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from loguru import logger

from services.exchanges.ccxt_exchange.connections import Connections, serve
from services.exchanges.ccxt_exchange.dials import Dials
from services.exchanges.ccxt_exchange.outcomes import is_of_network, words_of
from services.messages import QueryFailed
from services.order_book import BookLevels, Levels
from services.ports import Clock

_SIZES = {"kraken": (10, 25, 100)}
"""What to ask of an exchange whose usual book has fewer levels than a strategy may want; most refuse odd numbers."""

_MAKERS = ("order_book", "counted_order_book", "indexed_order_book")

_UNWATCHED_WITHIN_S = 5.0


class Books:
    """Reads the books of one instance of `ccxt.pro`; the instance is closed by who opened it."""

    def __init__(self, exchange: Any, clock: Clock, connections: Connections, dials: Dials) -> None:
        self._exchange = exchange
        self._clock = clock
        self._connections = connections
        self._dials = dials
        self._lost: set[str] = set()
        for name in _MAKERS:
            setattr(exchange, name, _of_floats(getattr(exchange, name)))

    @property
    def are_streamed(self) -> bool:
        return bool(self._exchange.has.get("watchOrderBook"))

    async def watch(self, symbol: str, levels: int) -> BookLevels:
        """Waits for the next change. Raises QueryFailed, also where there is no such stream."""
        exchange, name = self._exchange, f"order book {symbol}"
        if not self.are_streamed:
            raise QueryFailed(f"{exchange.id} streams no order book")
        serve(name)
        if symbol in self._lost:
            await self._dials.turn(self._connections.url_of(name), 1)
        try:
            book = await exchange.watch_order_book(symbol, _size(exchange.id, levels))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise QueryFailed(
                f"{symbol}: the connection was closed"
            ) from None  # ccxt cancels who waits on it
        except Exception as error:  # ccxt raises what its transport raises
            self._let_go(name, error)
            if is_of_network(error):
                self._lost.add(symbol)
            raise QueryFailed(f"{symbol}: {words_of(error)}") from error
        self._lost.discard(symbol)
        now_ms = self._clock.now_ms()
        at_ms = min(book.get("timestamp") or now_ms, now_ms)
        return BookLevels(symbol, _copied(book["bids"], levels), _copied(book["asks"], levels), at_ms)

    async def unwatch(self, symbol: str) -> None:
        """The exchange sends it no more, where it can be told so. Never raises."""
        exchange = self._exchange
        if not exchange.has.get("unWatchOrderBook"):
            return
        serve(f"order book {symbol}")
        try:
            async with asyncio.timeout(_UNWATCHED_WITHIN_S):
                await exchange.un_watch_order_book(symbol)
        except Exception as error:  # ccxt raises what its transport raises; what still comes is not looked at
            logger.bind(event="book_not_unwatched", symbol=symbol, error=words_of(error)).debug(
                "book_not_unwatched"
            )

    def _let_go(self, name: str, error: Exception) -> None:
        """After a failed read ccxt keeps the dead connection, and would wait on it for ever."""
        client = self._connections.of(name)
        if client is not None and is_of_network(error):
            self._connections.make_anew(client, words_of(error))


def _of_floats(make: Callable[..., Any]) -> Callable[..., Any]:
    """ccxt sorts a book by its prices as numbers, and fails where they come as the texts that we ask for: Kraken."""

    def made(*given: Any, **named: Any) -> Any:
        book = make(*given, **named)
        for name in ("bids", "asks"):
            side = book[name]
            side.storeArray = _taking_floats(side.storeArray)
        return book

    return made


def _taking_floats(store: Callable[[list[Any]], None]) -> Callable[[Sequence[Any]], None]:
    def taken(row: Sequence[Any]) -> None:
        store([*(None if number is None else float(number) for number in row[:2]), *row[2:]])

    return taken


def _size(exchange_id: str, levels: int) -> int | None:
    """None is the exchange's usual book."""
    sizes = _SIZES.get(exchange_id)
    return next((size for size in sizes if size >= levels), sizes[-1]) if sizes else None


def _copied(rows: Sequence[Any], levels: int) -> Levels:
    return tuple((Decimal(str(row[0])), Decimal(str(row[1]))) for row in rows[:levels])
