"""The replay exchange: recorded bars or trades as a feed, with the same matching as every simulated exchange.

A bar is walked open, low, high, close, and only the close is a sample. The path between two points of a bar
is taken as continuous, the step to the next bar's open as a gap. An order sent at the open, the low or
the high is matched at once: a market order at the price of that point, a limit order at its limit, which the
market passed on its way there (at the open: at the open). One that is sent at a close, or after a recorded
trade, meets the next price first. A symbol in which nothing is at stake yields only its closes. All points of
a bar carry the time of its open.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from fsm.values import ZERO, base_of
from services.exchanges.exact import multiply
from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers, Terms
from services.exchanges.price_point import PricePoint, bid_and_ask
from services.exchanges.recording_scan import Recording, observed_rules
from services.exchanges.recordings import BARS, read_bars, read_trades
from services.exchanges.seeded_random import SeededRandom
from services.messages import Balance, FeedEnded, MarketRules, OrderReport, OrderRequest

_SAMPLE: Mapping[str, Any] = {"sample": True}
_INSIDE: Mapping[str, Any] = {"sample": False}
_WHOLE, _QUARTER = Decimal(1), Decimal("0.25")


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
        self._symbols_of: dict[str, list[str]] = {}
        for symbol in self._rules:
            self._symbols_of.setdefault(base_of(symbol), []).append(symbol)
        self._at_stake: set[str] = set()
        self._last: dict[str, str] = {}
        self._inside = ""
        self._now_ms = 0
        self._reports: list[OrderReport] = []
        self._reported = asyncio.Event()
        self.rows_read = 0
        self.rows_total = sum(recording.rows for recording in recordings)
        paths = [recording.path for recording in recordings]
        of_bars = bool(recordings) and recordings[0].kind == BARS
        self._tickers = self._walk_bars(paths) if of_bars else self._walk_trades(paths)
        for base in self._symbols_of:
            self._weigh(base)

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
        order = self._book.submit(request, self._now_ms, match_now=inside, arriving=False)
        self._weigh(order.base)
        return order.report()

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        order = self._book.cancel(client_order_id, symbol, self._now_ms)
        self._weigh(order.base)
        return order.report()

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        order = self._book.find(client_order_id, symbol)
        return None if order is None else order.report()

    async def fetch_open_orders(self) -> list[OrderReport]:
        return [order.report() for order in self._book.open_orders()]

    def take_reports(self) -> list[OrderReport]:
        """What happened to orders after they were accepted, since last asked."""
        taken, self._reports = self._reports, []
        return taken

    async def watch_orders(self) -> list[OrderReport]:
        while not self._reports:
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
        """The time of the row that was read last."""
        return self._now_ms

    @property
    def last_prices(self) -> dict[str, Decimal]:
        return {symbol: Decimal(price) for symbol, price in self._last.items()}

    def _walk_bars(self, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        at_stake, last = self._at_stake, self._last
        for at_ms, symbol, open_, high, low, close, volume in read_bars(paths):
            self.rows_read += 1
            self._now_ms = at_ms
            if symbol in at_stake:
                at_point = self._share(volume, _QUARTER)
                self._inside = symbol
                yield self._move(symbol, open_, at_ms, _INSIDE, at_point, gap=True)
                yield self._move(symbol, low, at_ms, _INSIDE, at_point)
                yield self._move(symbol, high, at_ms, _INSIDE, at_point)
                self._inside = ""
                yield self._move(symbol, close, at_ms, _SAMPLE, at_point)
            else:
                last[symbol] = close
                yield self._ticker(symbol, close, at_ms, _SAMPLE)

    def _walk_trades(self, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        at_stake, last = self._at_stake, self._last
        for at_ms, symbol, _, _, price, amount in read_trades(paths):
            self.rows_read += 1
            self._now_ms = at_ms
            if symbol in at_stake:
                yield self._move(symbol, price, at_ms, _SAMPLE, self._share(amount, _WHOLE))
            else:
                last[symbol] = price
                yield self._ticker(symbol, price, at_ms, _SAMPLE)

    def _share(self, volume: str, part: Decimal) -> Decimal | None:
        share = self._volume_share
        return None if share is None else multiply(multiply(Decimal(volume), part), share)

    def _move(
        self,
        symbol: str,
        price: str,
        at_ms: int,
        info: Mapping[str, Any],
        volume: Decimal | None,
        gap: bool = False,
    ) -> dict[str, Any]:
        """Orders meet this price before anybody else hears of it."""
        self._last[symbol] = price
        changed = self._book.move(self._point(symbol, volume, gap), at_ms)
        if changed:
            self._reports.extend(order.report() for order in changed)
            self._reported.set()
            self._weigh(changed[0].base)
        return self._ticker(symbol, price, at_ms, info)

    def _point(self, symbol: str, volume: Decimal | None = None, gap: bool = False) -> PricePoint:
        last = Decimal(self._last[symbol])
        bid, ask = bid_and_ask(last, self._spread, self._rules[symbol].price_step)
        return PricePoint(symbol, last, bid, ask, volume, gap)

    def _look(self, symbol: str) -> None:
        """Tells the book the price of a symbol that it was spared while nothing was at stake."""
        if symbol in self._last and symbol != self._inside:
            self._book.points[symbol] = self._point(symbol)

    def _weigh(self, base: str) -> None:
        """Something is at stake in a coin's markets while an order waits or enough is held to sell."""
        for symbol in self._symbols_of[base]:
            rules = self._rules[symbol]
            held = self._book.ledger.total(base) >= max(rules.amount_min, rules.amount_step)
            if held or self._book.has_open(symbol):
                self._at_stake.add(symbol)
            else:
                self._at_stake.discard(symbol)

    def _ticker(self, symbol: str, price: str, at_ms: int, info: Mapping[str, Any]) -> dict[str, Any]:
        bid = ask = price
        if self._spread:
            below, above = bid_and_ask(Decimal(price), self._spread, self._rules[symbol].price_step)
            bid, ask = format(below, "f"), format(above, "f")
        return {"symbol": symbol, "timestamp": at_ms, "last": price, "bid": bid, "ask": ask, "info": info}
