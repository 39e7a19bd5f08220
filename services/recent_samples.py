"""The last samples of one market, in fixed space: what a new strategy is warmed up on."""

from collections.abc import Iterator
from decimal import Decimal
from math import isnan, nan
from struct import Struct
from typing import Protocol

from services.messages import Tick

_SAMPLE = Struct("qddd")

SAMPLE_BYTES = _SAMPLE.size
"""What one sample takes: its time, last price, bid and ask."""


class Market(Protocol):
    """The market as the sample that comes in finds it."""

    @property
    def symbol(self) -> str: ...

    @property
    def at_ms(self) -> int: ...

    @property
    def bid(self) -> Decimal | None: ...

    @property
    def ask(self) -> Decimal | None: ...


class RecentSamples:
    """A ring of packed samples. Prices keep 15 significant digits, more than any market quotes."""

    __slots__ = ("_buffer", "_market", "_size", "count")

    def __init__(self, market: Market, size: int) -> None:
        if size < 1:
            raise ValueError(f"a ring of {size} samples holds none")
        self._market = market
        self._size = size
        self._buffer = bytearray(size * SAMPLE_BYTES)
        self.count = 0
        """How many samples came since the engine started; the next one has this number."""

    def update(self, price: float, /) -> None:
        market = self._market
        bid, ask = market.bid, market.ask
        _SAMPLE.pack_into(
            self._buffer,
            self.count % self._size * SAMPLE_BYTES,
            market.at_ms,
            price,
            nan if bid is None else float(bid),
            nan if ask is None else float(ask),
        )
        self.count += 1

    @property
    def first(self) -> int:
        """The number of the oldest sample that is kept."""
        return max(0, self.count - self._size)

    def ticks(self, start: int, end: int) -> Iterator[Tick]:
        """The kept samples from number `start` up to and without `end`, the oldest first."""
        symbol = self._market.symbol
        for number in range(max(start, self.first), min(end, self.count)):
            at_ms, last, bid, ask = _SAMPLE.unpack_from(self._buffer, number % self._size * SAMPLE_BYTES)
            yield Tick(symbol, at_ms, _decimal(last), _price(bid), _price(ask))


def _price(value: float) -> Decimal | None:
    return None if isnan(value) else _decimal(value)


def _decimal(value: float) -> Decimal:
    """Its shortest digits, which for up to 15 are those it was made of."""
    return Decimal(repr(value))
