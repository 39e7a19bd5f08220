"""One price of one simulated market, and who supplies the next one."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from services.exchanges.exact import add, ceil_to, multiply, subtract

_HALF = Decimal("0.5")


@dataclass(slots=True)
class PricePoint:
    """What a market offers at one moment; never changed once made (frozen, it would take four times as long to make).

    `volume` is the base amount that can be traded at this point, None where that is not limited. `gap` says
    that the market jumped here without trading in between: a resting limit order then fills at this price,
    which is better than its own; without a gap it fills at its own. `at_ms` None means now.
    """

    symbol: str
    last: Decimal
    bid: Decimal
    ask: Decimal
    volume: Decimal | None = None
    gap: bool = False
    at_ms: int | None = None


class PriceSource(Protocol):
    """A market's prices, one after the other."""

    def next_point(self, symbol: str) -> PricePoint | None:
        """None when there is no new price for now. Raises FeedEnded when there will never be one."""


def bid_and_ask(last: Decimal, spread: Decimal, price_step: Decimal) -> tuple[Decimal, Decimal]:
    """Half the spread (a fraction) to each side, rounded up to whole steps; the bid stays above zero."""
    if not spread:
        return last, last
    half = ceil_to(multiply(multiply(last, spread), _HALF), price_step)
    return max(subtract(last, half), price_step), add(last, half)
