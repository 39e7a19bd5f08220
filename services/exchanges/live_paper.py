"""A dry run: the prices and market rules of a real exchange, and orders that fill on paper."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol

from services.exchanges.paper import PaperExchange, PaperSettings
from services.exchanges.price_point import PricePoint, bid_and_ask
from services.messages import Balance, MarketRules, OrderReport, OrderRequest
from services.ports import Clock, OrderBookFeed, TickerFeed


class Prices(TickerFeed, Protocol):
    """Real prices, how they come in, and an end to them."""

    def status(self) -> Sequence[Any]: ...

    async def close(self) -> None: ...


class GivenPoints:
    """A PriceSource of what was offered last; each point is taken once."""

    def __init__(self) -> None:
        self._points: dict[str, PricePoint] = {}

    def offer(self, point: PricePoint) -> None:
        self._points[point.symbol] = point

    def next_point(self, symbol: str) -> PricePoint | None:
        return self._points.pop(symbol, None)


class LivePaper:
    """Everything that the engine needs of an exchange. No order leaves this process.

    `rules` are the real exchange's for one symbol; it raises KeyError for what that does not list.
    An order waits for the first real price of its symbol in this run: the last one of the run before may be old. Any
    amount fills at the best bid or ask, since what else rests in the book is not looked at.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        prices: Prices,
        symbols: Iterable[str],
        rules: Callable[[str], MarketRules],
        settings: PaperSettings,
        clock: Clock,
    ) -> None:
        self.prices = prices
        self._rules_of = rules
        self._rules = {symbol: rules(symbol) for symbol in symbols}
        self._spread = settings.spread
        self._points = GivenPoints()
        self._priced = {symbol: asyncio.Event() for symbol in self._rules}
        self._paper = PaperExchange(
            path,
            symbols=self._rules,
            settings=replace(settings, ticks_per_s=0, rules=self._rules),
            clock=clock,
            prices=self._points,
        )

    async def open(self) -> None:
        """Raises ExchangeFileError when the file of the paper account is another's or in use."""
        await self._paper.open()

    async def close(self) -> None:
        await self.prices.close()
        await self._paper.close()

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        """The real ticker, after the paper market moved with it."""
        ticker = await self.prices.watch_ticker(symbol)
        point = self._point(symbol, ticker)
        if point is not None:
            self._points.offer(point)
            await self._paper.watch_ticker(symbol)
            self._priced[symbol].set()
        return ticker

    async def create_order(self, request: OrderRequest) -> OrderReport:
        if request.symbol in self._priced:
            await self._priced[request.symbol].wait()
        return await self._paper.create_order(request)

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        return await self._paper.cancel_order(client_order_id, symbol)

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        return await self._paper.fetch_order(client_order_id, symbol)

    async def fetch_open_orders(self) -> list[OrderReport]:
        return await self._paper.fetch_open_orders()

    async def watch_orders(self) -> list[OrderReport]:
        return await self._paper.watch_orders()

    async def fetch_balance(self) -> dict[str, Balance]:
        return await self._paper.fetch_balance()

    def add_symbol(self, symbol: str) -> None:
        """From now on it lists this market too. Raises KeyError when the real exchange does not."""
        if symbol not in self._rules:
            self._rules[symbol] = self._rules_of(symbol)
            self._priced[symbol] = asyncio.Event()
            self._paper.add_symbol(symbol)

    def feeds(self) -> Sequence[Any]:
        """How the prices of each watched symbol come in."""
        return self.prices.status()

    def order_books(self) -> OrderBookFeed | None:
        """The real exchange's, for strategies; None where the prices bring no book at all."""
        return self.prices if isinstance(self.prices, OrderBookFeed) else None

    def market(self, symbol: str) -> MarketRules:
        return self._paper.market(symbol)

    @property
    def late_arrival_ms(self) -> int:
        return self._paper.late_arrival_ms

    def _point(self, symbol: str, ticker: Mapping[str, Any]) -> PricePoint | None:
        """None for what is no price: the paper market stays where it was, and the engine refuses the tick."""
        last = _price(ticker.get("last") or ticker.get("close"))
        bid, ask = _price(ticker.get("bid")), _price(ticker.get("ask"))
        if last is None:
            return None
        if bid is None or ask is None:
            bid, ask = bid_and_ask(last, self._spread, self._rules[symbol].price_step)
        return PricePoint(symbol, last, bid, ask) if bid <= ask else None


def _price(value: object) -> Decimal | None:
    """None for what is not there, or is no price."""
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > 0 else None
