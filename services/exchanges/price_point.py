"""One price of one simulated market, and who supplies the next one."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from fsm.values import ZERO
from services.exchanges.exact import add, ceil_to, floor_to, multiply, subtract


@dataclass(frozen=True, slots=True)
class PricePoint:
    """What a market offers at one moment.

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
    """Half the spread (a fraction) to each side, rounded outwards to the step; the bid stays above zero."""
    if not spread:
        return last, last
    half = multiply(multiply(last, spread), Decimal("0.5"))
    return max(floor_to(subtract(last, half), price_step), price_step), ceil_to(add(last, half), price_step)


def point_around(
    symbol: str, last: Decimal, spread: Decimal = ZERO, price_step: Decimal = Decimal("0.00000001")
) -> PricePoint:
    """A point without volume limit whose bid and ask lie a fraction `spread` apart."""
    bid, ask = bid_and_ask(last, spread, price_step)
    return PricePoint(symbol, last, bid, ask)
