"""The order book of one market, for the strategies that ask: its best levels as heard last, or why there is none."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

LEVELS_MAX = 50
"""What a strategy may ask for: every exchange with a stream of its book brings that many levels of a side."""

NOT_HEARD = "no order book was heard yet"

Levels = tuple[tuple[Decimal, Decimal], ...]
"""(price, amount), the best first."""


@dataclass(frozen=True, slots=True)
class BookLevels:
    """The best levels of an order book as (price, amount), best first."""

    symbol: str
    bids: Levels
    asks: Levels
    at_ms: int


class OrderBook:
    """What was heard last, and how many levels of it are asked for. Not saved: a book of before a restart is none."""

    __slots__ = ("_asked", "asks", "at_ms", "bids", "fault")

    def __init__(self) -> None:
        self._asked: Counter[int] = Counter()
        self.bids: Levels = ()
        self.asks: Levels = ()
        self.at_ms = 0
        self.fault = NOT_HEARD

    def ask_for(self, levels: int) -> "BookView":
        """From now on the book is wanted, until `release` with the same number."""
        self._asked[levels] += 1
        return BookView(self, levels)

    def release(self, levels: int) -> None:
        self._asked[levels] -= 1
        if self._asked[levels] <= 0:
            del self._asked[levels]

    @property
    def levels(self) -> int:
        """How many levels of a side are wanted; 0 when nobody asks."""
        return max(self._asked, default=0)

    def take(self, heard: BookLevels) -> None:
        self.bids, self.asks, self.at_ms, self.fault = heard.bids, heard.asks, heard.at_ms, ""

    def lose(self, fault: str) -> None:
        """From now on nothing is known; a book that is watched no more would only pretend to be one."""
        self.bids, self.asks, self.at_ms, self.fault = (), (), 0, fault


class BookView:
    """The book as one strategy asked for it. It is live: read it in `on_sample`, do not keep its values.

    Where none is known both sides are empty, and `fault` says why. No book waits for a price and none is saved, so a
    vote on it cannot be replayed.
    """

    __slots__ = ("_book", "_levels")

    def __init__(self, book: OrderBook, levels: int) -> None:
        self._book = book
        self._levels = levels

    @property
    def bids(self) -> Levels:
        return self._book.bids[: self._levels]

    @property
    def asks(self) -> Levels:
        return self._book.asks[: self._levels]

    @property
    def at_ms(self) -> int:
        """The time of the book; zero where none is known."""
        return self._book.at_ms

    @property
    def fault(self) -> str:
        """Why no book is known; empty where one is."""
        return self._book.fault

    def age_ms(self, now_ms: int) -> int | None:
        """At this time, which for a strategy is `tick.at_ms`; never negative, None where no book is known."""
        return max(now_ms - self._book.at_ms, 0) if self._book.at_ms else None
