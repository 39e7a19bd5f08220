"""The markets of the rehearsal exchange: synthetic prices, what traded at them, and the book around them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from dirigent.rehearsal.api_error import UNKNOWN_SYMBOL, ApiError
from dirigent.rehearsal.tape import MINUTE_MS, Candle, PublicTrade, Tape
from services.exchanges.exact import add, multiply, steps_in, subtract
from services.exchanges.listings import Listing, listing
from services.exchanges.price_point import PricePoint, bid_and_ask
from services.exchanges.seeded_random import SeededRandom
from services.exchanges.synthetic_market import SyntheticMarket
from services.messages import MarketRules

_PAST_MINUTES = 1_500
_LEVELS_MAX = 1_000

_NONE = Decimal(0)

Level = tuple[Decimal, Decimal]


class Markets:
    """Each symbol's prices come from the seed alone, whatever the other symbols do."""

    def __init__(self, symbols: Iterable[str], seed: int, spread: Decimal, now_ms: int) -> None:
        self.listings: dict[str, Listing] = {symbol: listing(symbol) for symbol in symbols}
        self.ids: dict[str, str] = {symbol.replace("/", ""): symbol for symbol in self.listings}
        self._spread = spread
        self._synthetic = SyntheticMarket(seed, self.listings, spread)
        self._random = SeededRandom.named(seed, "public trades")
        self._seed = seed
        self._trades = 0
        self.tapes = {symbol: self._tape(symbol, now_ms) for symbol in self.listings}

    @property
    def rules(self) -> Mapping[str, MarketRules]:
        return {symbol: listed.rules for symbol, listed in self.listings.items()}

    def symbol_of(self, market_id: str) -> str:
        symbol = self.ids.get(market_id)
        if symbol is None:
            raise ApiError(*UNKNOWN_SYMBOL)
        return symbol

    def restore(self, symbol: str, point: PricePoint, walk: Mapping[str, Any], now_ms: int) -> None:
        """Continues a market where an earlier exchange left it."""
        self._synthetic.restore(symbol, walk)
        self.tapes[symbol] = Tape(point, now_ms, lambda: self._past(symbol, point, now_ms))

    def walk(self, symbol: str) -> dict[str, Any]:
        """What decides a market's further prices."""
        return self._synthetic.save(symbol)

    def next_point(self, symbol: str) -> PricePoint:
        return self._synthetic.next_point(symbol)

    def point_at(self, symbol: str, last: Decimal) -> PricePoint:
        """The point at which somebody puts the market: on its price steps, with the usual spread."""
        step = self.listings[symbol].rules.price_step
        on_step = multiply(Decimal(steps_in(last, step)), step)
        bid, ask = bid_and_ask(on_step, self._spread, step)
        return PricePoint(symbol, on_step, bid, ask)

    def record(self, point: PricePoint, at_ms: int) -> Tape:
        """The market has moved, and something traded there."""
        self._trades += 1
        step = self.listings[point.symbol].rules.amount_step
        amount = multiply(step, Decimal(self._random.up_to(1_000)))
        tape = self.tapes[point.symbol]
        tape.record(
            replace(point, volume=None),
            PublicTrade(self._trades, point.last, amount, at_ms, self._trades % 2 == 0),
        )
        return tape

    def book(self, point: PricePoint, depth: int) -> tuple[list[Level], list[Level]]:
        """Bids and asks around a point, the best first; the amount at a price stays the same while it is there."""
        rules = self.listings[point.symbol].rules
        count = min(depth, _LEVELS_MAX)
        bids: list[Level] = []
        asks: list[Level] = []
        bid, ask = point.bid, point.ask
        for _ in range(count):
            if bid > 0:
                bids.append((bid, _amount_at(bid, rules)))
            asks.append((ask, _amount_at(ask, rules)))
            bid, ask = subtract(bid, rules.price_step), add(ask, rules.price_step)
        return bids, asks

    def changes(self, tape: Tape) -> tuple[list[Level], list[Level]]:
        """What the last tick changed in the book; amount 0 where a level has gone."""
        rules = self.listings[tape.point.symbol].rules
        before, after = tape.before, tape.point
        bids = [(price, _NONE) for price in _steps(after.bid, before.bid, rules)]
        bids += [(price, _amount_at(price, rules)) for price in _steps(before.bid, after.bid, rules)]
        asks = [(price, _NONE) for price in _steps(before.ask, after.ask, rules, low_too=True)]
        asks += [
            (price, _amount_at(price, rules)) for price in _steps(after.ask, before.ask, rules, low_too=True)
        ]
        return bids, asks

    def _tape(self, symbol: str, now_ms: int) -> Tape:
        point = self._synthetic.next_point(symbol)
        return Tape(point, now_ms, lambda: self._past(symbol, point, now_ms))

    def _past(self, symbol: str, point: PricePoint, now_ms: int) -> list[Candle]:
        """Candles that end where the market begins: a random walk, drawn backwards."""
        random = SeededRandom.named(self._seed, f"past of {symbol}")
        rules = self.listings[symbol].rules
        this_minute_ms = now_ms // MINUTE_MS * MINUTE_MS
        close = steps_in(point.last, rules.price_step)
        candles: list[Candle] = []
        for minute in range(1, _PAST_MINUTES + 1):
            opening = max(close + round(close * 0.0004 * random.normal()), 1)
            wick = round(close * 0.0002 * random.uniform())
            low, high = max(min(opening, close) - wick, 1), max(opening, close) + wick
            amount = multiply(rules.amount_step, Decimal(random.up_to(60_000)))
            prices = [multiply(Decimal(steps), rules.price_step) for steps in (opening, high, low, close)]
            candle = Candle(this_minute_ms - minute * MINUTE_MS, prices[0], prices[1], prices[2], prices[3])
            candle.volume, candle.quote_volume = amount, multiply(amount, candle.close)
            candle.trades = 60
            candles.append(candle)
            close = opening
        candles.reverse()
        return candles


def _amount_at(price: Decimal, rules: MarketRules) -> Decimal:
    digest = hashlib.blake2b(str(price).encode(), digest_size=4).digest()
    return multiply(rules.amount_step, Decimal(1_000 + int.from_bytes(digest, "big") % 100_000))


def _steps(low: Decimal, high: Decimal, rules: MarketRules, low_too: bool = False) -> list[Decimal]:
    """The prices above `low` up to `high`; or, with `low_too`, from `low` to below `high`."""
    step = rules.price_step
    first, last = (steps_in(price, step) for price in (low, high))
    numbers = range(first, last) if low_too else range(first + 1, last + 1)
    return [multiply(Decimal(number), step) for number in numbers]
