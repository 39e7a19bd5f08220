"""What one market has traded: its prices since the start, its last trades, and its candles."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, groupby, takewhile

from fsm.values import ZERO
from services.exchanges.exact import add, multiply
from services.exchanges.price_point import PricePoint

MINUTE_MS = 60_000
_TRADES_KEPT = 1_000
_MINUTES_KEPT = 3_000

INTERVALS_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1_440 * MINUTE_MS,
}


@dataclass(frozen=True, slots=True)
class PublicTrade:
    number: int
    price: Decimal
    amount: Decimal
    at_ms: int
    buyer_is_maker: bool


@dataclass(slots=True)
class Candle:
    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trades: int = 0

    def include(self, other: "Candle") -> None:
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.volume = add(self.volume, other.volume)
        self.quote_volume = add(self.quote_volume, other.quote_volume)
        self.trades += other.trades

    @classmethod
    def of_trade(cls, trade: PublicTrade, open_ms: int) -> "Candle":
        price = trade.price
        return cls(
            open_ms, price, price, price, price, trade.amount, multiply(price, trade.amount), trade.number > 0
        )


class Tape:
    """One market's record since the exchange started, behind which lies a made-up past of candles.

    The past is made when it is first asked for.
    """

    def __init__(self, point: PricePoint, at_ms: int, make_past: Callable[[], list[Candle]]) -> None:
        self.point = point
        self.before = point
        self.update = 1
        """Counts the changes of the order book."""
        self.opened_at_ms = at_ms
        self.at_ms = at_ms
        self.trades: deque[PublicTrade] = deque(maxlen=_TRADES_KEPT)
        self._minutes: deque[Candle] = deque(maxlen=_MINUTES_KEPT)
        self._make_past = make_past
        self._past: list[Candle] | None = None
        price = point.last
        self.day = Candle(at_ms, price, price, price, price)

    def record(self, point: PricePoint, trade: PublicTrade) -> None:
        self.before, self.point = self.point, point
        self.update += 1
        self.at_ms = trade.at_ms
        self.trades.append(trade)
        self.day.include(Candle.of_trade(trade, self.opened_at_ms))
        minute_ms = trade.at_ms // MINUTE_MS * MINUTE_MS
        candle = Candle.of_trade(trade, minute_ms)
        if self._minutes and self._minutes[-1].open_ms == minute_ms:
            self._minutes[-1].include(candle)
        else:
            self._minutes.append(candle)

    def candles(self, interval_ms: int) -> Iterator[Candle]:
        """From the oldest to the one that is still growing."""
        minutes = chain(self._made_past(), self._minutes)
        for open_ms, group in groupby(minutes, lambda minute: minute.open_ms // interval_ms * interval_ms):
            yield _merged(open_ms, group)

    def last_candle(self, interval_ms: int) -> Candle:
        """The one that is still growing."""
        newest_first = chain(reversed(self._minutes), reversed(self._made_past()))
        first = next(newest_first)
        open_ms = first.open_ms // interval_ms * interval_ms
        same = [first, *takewhile(lambda minute: minute.open_ms >= open_ms, newest_first)]
        return _merged(open_ms, reversed(same))

    def _made_past(self) -> list[Candle]:
        if self._past is None:
            self._past = self._make_past()
        return self._past


def _merged(open_ms: int, minutes: Iterable[Candle]) -> Candle:
    rest = iter(minutes)
    merged = replace(next(rest), open_ms=open_ms)
    for minute in rest:
        merged.include(minute)
    return merged
