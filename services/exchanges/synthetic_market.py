"""A seeded synthetic market: regimes that follow one another, noise, jumps and a spread that breathes.

The walk itself is a float, as every random process is; what leaves is a whole number of price steps, so that
each price is an exact Decimal. The same seed and symbol give the same prices whatever other symbols do.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.exchanges.exact import multiply, steps_in
from services.exchanges.listings import Listing
from services.exchanges.price_point import PricePoint
from services.exchanges.seeded_random import SeededRandom


@dataclass(frozen=True, slots=True)
class Regime:
    """A kind of weather; drift, noise and pull are per tick, as fractions of the price."""

    name: str
    drift: float
    noise: float
    pull: float
    """How fast the price returns to where the regime found it."""
    spread_factor: float
    ticks_min: int
    ticks_max: int


# fmt: off
_REGIMES = {
    regime.name: regime
    for regime in (
        #      name          drift     noise    pull   spread  ticks
        Regime("trend_up",    0.00005, 0.00007, 0.0,   1.0,    50, 110),
        Regime("trend_down", -0.00005, 0.00007, 0.0,   1.0,    50, 110),
        Regime("range",       0.0,     0.00006, 0.03,  0.7,    40, 80),
        Regime("volatile",    0.0,     0.00015, 0.0,   3.0,    20, 50),
    )
}
# fmt: on

_JUMP_CHANCE = 1 / 1200
_JUMP_SIZE = 0.006
_HOME_PULL = 3.0
"""How much a trend back to the start price is preferred, for each unit of log distance from it."""


@dataclass(slots=True)
class _Walk:
    """One symbol's process; `level` and `anchor` are natural logarithms of the price over the start price."""

    listing: Listing
    random: SeededRandom
    regime: Regime
    start_steps: int
    level: float = 0.0
    anchor: float = 0.0
    strength: float = 1.0
    ticks_left: int = 0


class SyntheticMarket:
    """Prices of several symbols; a PriceSource. `spread` is the usual one, a fraction."""

    def __init__(
        self, seed: int, listings: Mapping[str, Listing], spread: Decimal = Decimal("0.0002")
    ) -> None:
        self._spread = float(spread)
        self._seed = seed
        self._walks: dict[str, _Walk] = {}
        for symbol, listing in listings.items():
            self.add(symbol, listing)

    def add(self, symbol: str, listing: Listing) -> None:
        """A further symbol, at its start price."""
        self._walks[symbol] = _Walk(
            listing,
            SeededRandom.named(self._seed, symbol),
            _REGIMES["range"],
            steps_in(listing.start_price, listing.rules.price_step),
        )

    def next_point(self, symbol: str) -> PricePoint:
        walk = self._walks[symbol]
        if walk.ticks_left <= 0:
            _change_regime(walk)
        walk.ticks_left -= 1
        random, regime = walk.random, walk.regime
        step = regime.drift * walk.strength + regime.noise * random.normal()
        step += regime.pull * (walk.anchor - walk.level)
        jumps = random.uniform() < _JUMP_CHANCE
        if jumps:
            step += math.copysign(random.between(0.5, 1.5) * _JUMP_SIZE, random.uniform() - 0.5)
        walk.level += step
        return self._point(symbol, walk, jumps)

    def _point(self, symbol: str, walk: _Walk, jumps: bool) -> PricePoint:
        price_step = walk.listing.rules.price_step
        last = max(round(walk.start_steps * math.exp(walk.level)), 2)
        half = 0
        if self._spread:
            width = self._spread * walk.regime.spread_factor * walk.random.between(0.6, 1.4)
            half = min(max(round(last * width / 2), 1), last - 1)
        return PricePoint(
            symbol=symbol,
            last=multiply(Decimal(last), price_step),
            bid=multiply(Decimal(last - half), price_step),
            ask=multiply(Decimal(last + half), price_step),
            gap=jumps,
        )

    @property
    def symbols(self) -> Iterable[str]:
        return self._walks.keys()

    def regime(self, symbol: str) -> str:
        return self._walks[symbol].regime.name

    def save(self, symbol: str) -> dict[str, Any]:
        """Everything that decides this symbol's further prices, ready for JSON."""
        walk = self._walks[symbol]
        return {
            "random": walk.random.state,
            "regime": walk.regime.name,
            "level": walk.level,
            "anchor": walk.anchor,
            "strength": walk.strength,
            "ticks_left": walk.ticks_left,
        }

    def restore(self, symbol: str, state: Mapping[str, Any]) -> None:
        """Continues where `save` was called. Raises KeyError or ValueError when the state is not whole."""
        walk = self._walks[symbol]
        walk.random = SeededRandom(int(state["random"]))
        walk.regime = _REGIMES[state["regime"]]
        walk.level = float(state["level"])
        walk.anchor = float(state["anchor"])
        walk.strength = float(state["strength"])
        walk.ticks_left = int(state["ticks_left"])


def _change_regime(walk: _Walk) -> None:
    """Trends alternate more than they repeat, and lean back towards the start price."""
    random = walk.random
    kind = random.uniform()
    if kind < 0.12:
        name = "range"
    elif kind < 0.2:
        name = "volatile"
    else:
        up = 0.5 - _HOME_PULL * walk.level
        up += {"trend_up": -0.3, "trend_down": 0.3}.get(walk.regime.name, 0.0)
        name = "trend_up" if random.uniform() < min(max(up, 0.05), 0.95) else "trend_down"
    walk.regime = _REGIMES[name]
    walk.anchor = walk.level
    walk.strength = random.between(0.7, 1.6)
    walk.ticks_left = round(random.between(walk.regime.ticks_min, walk.regime.ticks_max))
