"""A seeded random generator whose whole state is one integer, saved with every transaction."""

import hashlib
import math

_MASK = (1 << 64) - 1


class SeededRandom:
    """SplitMix64 (Steele, Lea and Flood, 2014): the same state gives the same numbers on every machine."""

    __slots__ = ("state",)

    def __init__(self, state: int) -> None:
        self.state = state & _MASK

    @classmethod
    def named(cls, seed: int, name: str) -> "SeededRandom":
        """A generator of its own for each name under one seed."""
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        return cls(int.from_bytes(digest[:8], "big"))

    def _bits(self) -> int:
        self.state = mixed = (self.state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def uniform(self) -> float:
        """From 0 (included) to 1 (excluded)."""
        return (self._bits() >> 11) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.uniform()

    def up_to(self, highest: int) -> int:
        """A whole number from 1 to `highest`, both included."""
        return 1 + self._bits() % highest

    def normal(self) -> float:
        """Mean 0, deviation 1 (Box and Muller, 1958)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())
