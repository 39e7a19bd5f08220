"""The paper exchange: simulated markets in real time, with an account whose book survives the engine's death.

Its market moves only while somebody watches. What it has taken is in its file before anybody hears of it; a
request that the process dies with before that never arrived. A client order id is refused while an open order
has it, and may be used again afterwards, as at Binance: who sends twice buys twice, and the book shows it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from fsm.values import base_of, quote_of
from services.exchanges.book_order import BookOrder
from services.exchanges.ledger import Ledger
from services.exchanges.listings import Listing, listing
from services.exchanges.matching import Matching, Numbers, Terms
from services.exchanges.paper_file import ExchangeFile, ExchangeFileError
from services.exchanges.paper_ticker import paper_ticker
from services.exchanges.price_point import PricePoint, PriceSource
from services.exchanges.seeded_random import SeededRandom
from services.exchanges.synthetic_market import SyntheticMarket
from services.messages import Balance, MarketRules, OrderReport, OrderRequest, QueryFailed
from services.ports import Clock

_SAVE_MARKET_EVERY_MS = 2_000
_NO_PRICE_PAUSE_S = 0.005
"""How long a feed without pacing waits before it asks again for a price that is not there."""
_UNHEARD_REPORTS = 10_000
"""Reports kept for a stream that nobody reads; older ones are lost, as they are at an exchange."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """How the simulated exchange behaves. Fractions are of the price.

    `balances` is what a new account begins with; an existing file keeps its own. `ticks_per_s` is per symbol,
    0 means as fast as asked. `rules` overrides the market rules of single symbols.
    """

    seed: int = 1
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    fee: Decimal = Decimal("0.001")
    fee_in: str = "quote"
    spread: Decimal = Decimal("0.0002")
    slippage: Decimal = Decimal("0.0001")
    partial_fill_probability: float = 0.0
    latency_ms: tuple[int, int] = (10, 50)
    """The least and the greatest time a request takes to arrive; its answer takes as long again."""
    ticks_per_s: float = 10
    rules: Mapping[str, MarketRules] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = self.latency_ms
        if not 0 <= low <= high:
            raise ValueError(f"latency_ms {self.latency_ms} is not a least and a greatest time")
        if not self.ticks_per_s >= 0:
            raise ValueError(f"ticks_per_s {self.ticks_per_s} is below 0")
        if not (self.spread.is_finite() and 0 <= self.spread < 1):
            raise ValueError(f"spread {self.spread} is not a fraction: at least 0 and below 1")
        for currency, amount in self.balances.items():
            if not (amount.is_finite() and amount >= 0):
                raise ValueError(f"balance {amount} of {currency} is not a number of at least 0")

    @property
    def terms(self) -> Terms:
        return Terms(self.fee, self.fee_in, self.slippage, self.partial_fill_probability)


class PaperExchange:
    """A TickerFeed, an OrderDesk and an Account, on a seeded synthetic market unless `prices` drives it."""

    def __init__(
        self,
        path: str | Path,
        *,
        symbols: Iterable[str],
        settings: PaperSettings,
        clock: Clock,
        prices: PriceSource | None = None,
    ) -> None:
        self._path = Path(path)
        self._settings = settings
        self._terms = settings.terms
        self._clock = clock
        self._listings = {symbol: _listed(symbol, settings.rules) for symbol in symbols}
        self._rules = {symbol: listed.rules for symbol, listed in self._listings.items()}
        self._given_prices = prices
        self._latency = SeededRandom.named(settings.seed, "latency")
        self._due: dict[str, float] = {}
        self._market_saved_at_ms = 0
        self._reports: deque[OrderReport] = deque(maxlen=_UNHEARD_REPORTS)
        self._reported = asyncio.Event()
        self._file: ExchangeFile | None = None
        self._book = Matching(self._rules, Ledger({}), self._terms, Numbers())
        self._synthetic: SyntheticMarket | None = None

    async def open(self) -> None:
        """Creates or resumes the file. Raises ExchangeFileError when it is another's or in use."""
        self._file = ExchangeFile(self._path, self._settings.balances)
        try:
            self._resume(self._file)
        except BaseException:
            self._file.close()
            self._file = None
            raise

    async def close(self) -> None:
        """Saves the market and gives the file back. A request still on its way fails and never arrives."""
        if self._file is not None:
            self._save_markets()
            self._file.close()
            self._file = None

    async def watch_ticker(self, symbol: str) -> dict[str, Any]:
        """The next price, when it is due: a ccxt ticker whose numbers are strings."""
        while True:
            await self._until_due(symbol)
            at_ms = self._clock.now_ms()
            point = self._next_point(symbol)
            if point is not None:
                self._move(point, at_ms)
                return paper_ticker(point, at_ms)
            if not self._settings.ticks_per_s:
                await asyncio.sleep(_NO_PRICE_PAUSE_S)

    async def create_order(self, request: OrderRequest) -> OrderReport:
        return await self._ask(lambda: self._take(request))

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        return await self._ask(lambda: self._cancel(client_order_id, symbol))

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        return await self._ask(lambda: self._find(client_order_id, symbol))

    async def fetch_open_orders(self) -> list[OrderReport]:
        return await self._ask(lambda: [order.listed() for order in self._book.open_orders()])

    async def watch_orders(self) -> list[OrderReport]:
        """Everything that happened to orders since last asked; what `create_order` returned is among it."""
        while not self._reports:
            self._reported.clear()
            await self._reported.wait()
        heard = list(self._reports)
        self._reports.clear()
        await self._travel()
        return heard

    async def fetch_balance(self) -> dict[str, Balance]:
        return await self._ask(self._book.ledger.balances)

    def market(self, symbol: str) -> MarketRules:
        return self._rules[symbol]

    def add_symbol(self, symbol: str) -> None:
        """From now on it lists this market too; adding it again changes nothing."""
        if symbol in self._listings:
            return
        listed = _listed(symbol, self._settings.rules)
        self._listings[symbol], self._rules[symbol] = listed, listed.rules
        if self._synthetic is not None:
            self._synthetic.add(symbol, listed)
        self._resume_market(symbol, self._opened().load().markets.get(symbol, {}))

    @property
    def late_arrival_ms(self) -> int:
        return self._settings.latency_ms[1]

    async def _ask(self, answer: Callable[[], _Answer]) -> _Answer:
        """A request travels, is answered in one piece, and the answer travels back; so does a refusal."""
        await self._travel()
        if self._file is None:
            raise QueryFailed("the paper exchange is closed")
        try:
            return answer()
        finally:
            await self._travel()

    async def _travel(self) -> None:
        low, high = self._settings.latency_ms
        if high:
            await asyncio.sleep(self._latency.between(low, high) / 1000)

    async def _until_due(self, symbol: str) -> None:
        if not self._settings.ticks_per_s:
            await asyncio.sleep(0)
            return
        now = asyncio.get_running_loop().time()
        period = 1 / self._settings.ticks_per_s
        due = max(self._due.get(symbol, now), now - period)
        self._due[symbol] = due + period
        await asyncio.sleep(max(due - now, 0))

    def _take(self, request: OrderRequest) -> OrderReport:
        order = self._book.submit(request, self._clock.now_ms())
        return self._commit([order], request.symbol)[0]

    def _cancel(self, client_order_id: str, symbol: str) -> OrderReport:
        order = self._book.cancel(client_order_id, symbol, self._clock.now_ms())
        return self._commit([order], symbol)[0]

    def _find(self, client_order_id: str, symbol: str) -> OrderReport | None:
        order = self._book.find(client_order_id, symbol)
        if order is None:
            order = self._opened().find_order(client_order_id, symbol)
        return None if order is None else order.report()

    def _move(self, point: PricePoint, at_ms: int) -> None:
        changed = self._book.move(point, at_ms)
        if changed:
            self._commit(changed, point.symbol)
        elif not 0 <= at_ms - self._market_saved_at_ms < _SAVE_MARKET_EVERY_MS:
            self._market_saved_at_ms = at_ms
            self._save_markets()

    def _commit(self, orders: list[BookOrder], symbol: str) -> list[OrderReport]:
        """Writes what changed in one market, then tells; when that fails, memory goes back to the file."""
        file = self._opened()
        ledger = self._book.ledger
        balances = {currency: ledger.balance(currency) for currency in (base_of(symbol), quote_of(symbol))}
        try:
            file.save(orders, balances, self._book.numbers, self._market_states([symbol]))
        except ExchangeFileError:
            self._resume(file)
            raise
        reports = [order.report() for order in orders]
        self._reports.extend(reports)
        self._reported.set()
        return reports

    def _save_markets(self) -> None:
        self._opened().save((), {}, None, self._market_states(self._book.points))

    def _opened(self) -> ExchangeFile:
        if self._file is None:
            raise QueryFailed("the paper exchange is closed")
        return self._file

    def _market_states(self, symbols: Iterable[str]) -> dict[str, dict[str, Any]]:
        return {
            symbol: {
                "point": [str(point.last), str(point.bid), str(point.ask)],
                "synthetic": None if self._synthetic is None else self._synthetic.save(symbol),
            }
            for symbol in symbols
            if (point := self._book.points.get(symbol)) is not None
        }

    def _resume(self, file: ExchangeFile) -> None:
        saved = file.load()
        numbers = saved.numbers
        if not numbers.random_state:
            numbers.random_state = SeededRandom.named(self._settings.seed, "matching").state
        self._book = Matching(self._rules, Ledger(saved.balances), self._terms, numbers, remember=100)
        self._book.adopt(saved.open_orders)
        if self._given_prices is None:
            self._synthetic = SyntheticMarket(self._settings.seed, self._listings, self._settings.spread)
        for symbol in self._rules:
            self._resume_market(symbol, saved.markets.get(symbol, {}))

    def _resume_market(self, symbol: str, state: Mapping[str, Any]) -> None:
        if self._synthetic is not None and state.get("synthetic"):
            self._synthetic.restore(symbol, state["synthetic"])
        if state.get("point"):
            last, bid, ask = (Decimal(number) for number in state["point"])
            self._book.points[symbol] = PricePoint(symbol, last, bid, ask)
            return
        first = self._next_point(symbol)
        if first is not None:
            self._book.move(first, self._clock.now_ms())

    def _next_point(self, symbol: str) -> PricePoint | None:
        if self._synthetic is not None:
            return self._synthetic.next_point(symbol)
        return None if self._given_prices is None else self._given_prices.next_point(symbol)


def _listed(symbol: str, rules: Mapping[str, MarketRules]) -> Listing:
    usual = listing(symbol)
    return Listing(usual.start_price, rules.get(symbol, usual.rules))
