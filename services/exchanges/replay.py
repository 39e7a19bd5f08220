"""The replay exchange: recorded bars or trades as a feed, with the same matching as every simulated exchange.

A bar is walked open, low, high, close, and only the close is a sample. The path between two points of a bar
is taken as continuous, the step to the next bar's open as a gap. Inside a bar a price is told only to whom it
may matter: every point while an order is open or somebody follows every price, else the open and each level that
somebody waits for, at the moment at which the path reaches it; so a stop or a take-profit is met at its level and
not at the bar's extreme. An order sent inside a bar is matched at once: a market order at the price of that point,
a limit order at its limit, which the market passed on its way there (at the open: at the open). One that is sent
at a close, or after a recorded trade, meets the next price first. All points of a bar carry the time of its open.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from fsm.values import ZERO, base_of
from services.exchanges.exact import ceil_to, floor_to, multiply
from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers, Terms
from services.exchanges.price_point import PricePoint, bid_and_ask
from services.exchanges.recording_scan import Recording, observed_rules
from services.exchanges.recordings import BARS, Bar, read_bars, read_trades
from services.exchanges.seeded_random import SeededRandom
from services.messages import Balance, FeedEnded, MarketRules, OrderReport, OrderRequest

_SAMPLE: Mapping[str, Any] = {"sample": True}
_INSIDE: Mapping[str, Any] = {"sample": False}
_WHOLE, _QUARTER = Decimal(1), Decimal("0.25")


class Interest(NamedTuple):
    """Which prices inside a bar matter to somebody: certain levels, or every point."""

    levels: Sequence[Decimal] = ()
    follows: bool = False


class ReplayExchange:
    """A TickerFeed, an OrderDesk, an Account and a Clock, all in memory and deterministic.

    `rules` default to what the recordings show. `volume_share` bounds fills to that fraction of the recorded
    volume (of a bar, a quarter at each of its four points); None does not bound them.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        balances: Mapping[str, Decimal],
        fee: Decimal = Decimal("0.001"),
        fee_in: str = "quote",
        spread: Decimal = ZERO,
        slippage: Decimal = ZERO,
        rules: Mapping[str, MarketRules] | None = None,
        volume_share: Decimal | None = None,
        partial_fill_probability: float = 0.0,
        seed: int = 1,
    ) -> None:
        self._rules = {**observed_rules(recordings), **(rules or {})}
        self._spread = spread
        self._volume_share = volume_share
        terms = Terms(fee, fee_in, slippage, partial_fill_probability)
        numbers = Numbers(random_state=SeededRandom.named(seed, "matching").state)
        ledger = Ledger({currency: Balance(amount) for currency, amount in balances.items()})
        self._book = Matching(self._rules, ledger, terms, numbers)
        self.interest: Callable[[str], Interest | None] = self._while_held
        """Asked at each bar; by default every point matters while enough of the coin is held to be sold."""
        self._last: dict[str, str] = {}
        self._inside = ""
        self.at_ms = 0
        """The time of the row that was read last."""
        self.reports: list[OrderReport] = []
        """What happened to orders after they were accepted, and nobody has taken."""
        self._reported = asyncio.Event()
        self.rows_read = 0
        self.rows_total = sum(recording.rows for recording in recordings)
        paths = [recording.path for recording in recordings]
        of_bars = bool(recordings) and recordings[0].kind == BARS
        self._known_good = {one.path: one.fingerprint for one in recordings if one.fingerprint}
        self._tickers = self._walk_bars(paths) if of_bars else self._walk_trades(paths)

    def tickers(self) -> Iterator[dict[str, Any]]:
        """What `next_ticker` tells, one after the other to the end."""
        return self._tickers

    def next_ticker(self) -> dict[str, Any]:
        """The next price of any symbol, in the order of time: a small ccxt ticker, numbers as strings.

        `info["sample"]` tells whether indicators count it. Raises FeedEnded at the end, and RecordingError at
        a bad row.
        """
        for ticker in self._tickers:
            return ticker
        raise FeedEnded(f"{self.rows_read} recorded rows are played")

    async def watch_ticker(self, symbol: str) -> dict[str, Any]:
        """The next price of one symbol; those of others pass meanwhile and are not seen by anybody."""
        if symbol not in self._rules:
            raise KeyError(symbol)
        await asyncio.sleep(0)
        while True:
            ticker = self.next_ticker()
            if ticker["symbol"] == symbol:
                return ticker

    async def create_order(self, request: OrderRequest) -> OrderReport:
        self._look(request.symbol)
        inside = request.symbol == self._inside
        order = self._book.submit(request, self.at_ms, match_now=inside, arriving=False)
        return order.report()

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        order = self._book.cancel(client_order_id, symbol, self.at_ms)
        return order.report()

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        order = self._book.find(client_order_id, symbol)
        return None if order is None else order.report()

    async def fetch_open_orders(self) -> list[OrderReport]:
        return [order.listed() for order in self._book.open_orders()]

    def take_reports(self) -> list[OrderReport]:
        """What happened to orders after they were accepted, since last asked."""
        if not self.reports:
            return []
        taken, self.reports = self.reports, []
        return taken

    async def watch_orders(self) -> list[OrderReport]:
        while not self.reports:
            self._reported.clear()
            await self._reported.wait()
        return self.take_reports()

    async def fetch_balance(self) -> dict[str, Balance]:
        return self._book.ledger.balances()

    def market(self, symbol: str) -> MarketRules:
        return self._rules[symbol]

    @property
    def late_arrival_ms(self) -> int:
        return 0

    def now_ms(self) -> int:
        return self.at_ms

    @property
    def last_prices(self) -> dict[str, Decimal]:
        return {symbol: Decimal(price) for symbol, price in self._last.items()}

    def _walk_bars(self, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        last, has_open = self._last, self._book.has_open
        for bar in read_bars(paths, self._known_good):
            self.rows_read += 1
            self.at_ms, symbol = bar[0], bar[1]
            is_open = has_open(symbol)
            if is_open or self.interest(symbol) is not None:
                yield from self._walk_bar(bar)
                is_open = has_open(symbol)
            close = last[symbol] = bar[5]
            if is_open:
                self._move(symbol, close, self._share(bar[6], _QUARTER))
            yield {"symbol": symbol, "timestamp": bar[0], "last": close, "info": _SAMPLE}

    def _walk_bar(self, bar: Bar) -> Iterator[dict[str, Any]]:
        """The points of a bar before its close that matter to an order or to somebody's interest."""
        at_ms, symbol, open_, high, low, close, volume = bar
        at_point = self._share(volume, _QUARTER)
        self._inside = symbol
        self._move(symbol, open_, at_point, gap=True)
        yield {"symbol": symbol, "timestamp": at_ms, "last": open_, "info": _INSIDE}
        for target in (low, high, close):
            while (level := self._next_level(symbol, Decimal(target))) is not None:
                self._move(symbol, level, at_point)
                yield {"symbol": symbol, "timestamp": at_ms, "last": level, "info": _INSIDE}
            interest = self.interest(symbol)
            told = self._book.has_open(symbol) or (interest is not None and interest.follows)
            if target is not close and told and target != self._last[symbol]:
                self._move(symbol, target, at_point)
                yield {"symbol": symbol, "timestamp": at_ms, "last": target, "info": _INSIDE}
            elif target is not close:
                self._last[symbol] = target
        self._inside = ""

    def _next_level(self, symbol: str, target: Decimal) -> str | None:
        """The first awaited price on the way from the last point to `target`; None when none lies between."""
        interest = self.interest(symbol)
        if interest is None:
            return None
        here, step = Decimal(self._last[symbol]), self._rules[symbol].price_step
        if target < here:
            below = [floor_to(level, step) for level in interest.levels]
            found = max((level for level in below if target <= level < here), default=None)
        else:
            above = [ceil_to(level, step) for level in interest.levels]
            found = min((level for level in above if here < level <= target), default=None)
        return None if found is None else format(found, "f")

    def _while_held(self, symbol: str) -> Interest | None:
        rules = self._rules[symbol]
        held = self._book.ledger.total(base_of(symbol)) >= max(rules.amount_min, rules.amount_step)
        return Interest(follows=True) if held else None

    def _walk_trades(self, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        last, has_open = self._last, self._book.has_open
        for at_ms, symbol, _, _, price, amount in read_trades(paths):
            self.rows_read += 1
            self.at_ms = at_ms
            last[symbol] = price
            if has_open(symbol):
                self._move(symbol, price, self._share(amount, _WHOLE))
            yield {"symbol": symbol, "timestamp": at_ms, "last": price, "info": _SAMPLE}

    def _share(self, volume: str, part: Decimal) -> Decimal | None:
        share = self._volume_share
        return None if share is None else multiply(multiply(Decimal(volume), part), share)

    def _move(self, symbol: str, price: str, volume: Decimal | None, gap: bool = False) -> None:
        """Orders meet this price before anybody else hears of it."""
        self._last[symbol] = price
        changed = self._book.move(self._point(symbol, volume, gap), self.at_ms)
        if changed:
            self.reports.extend(order.report() for order in changed)
            self._reported.set()

    def _point(self, symbol: str, volume: Decimal | None = None, gap: bool = False) -> PricePoint:
        last = Decimal(self._last[symbol])
        bid, ask = bid_and_ask(last, self._spread, self._rules[symbol].price_step)
        return PricePoint(symbol, last, bid, ask, volume, gap)

    def _look(self, symbol: str) -> None:
        """Tells the book the price of a symbol that it was spared while nothing was at stake."""
        if symbol in self._last and symbol != self._inside:
            self._book.points[symbol] = self._point(symbol)
