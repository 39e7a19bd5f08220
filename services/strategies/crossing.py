"""A crossing: the moment a difference, such as one average less another, changes its sign."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.indicators import CheckpointError

TOUCH_FRACTION = 1e-12
"""A difference smaller than this part of the price is rounding, and counts as none."""


class Crossing:
    """Remembers on which side of zero the difference was last, and says when it comes out on the other.

    Touching zero is no crossing and forgets nothing: down to zero and up again crosses nothing; through zero
    in several samples crosses once, with the sample that leaves zero on the far side. The first difference
    that is not zero takes a side, and crosses nothing.
    """

    __slots__ = ("side",)

    def __init__(self) -> None:
        self.side = 0
        """1 above, -1 below, 0 while no side was taken."""

    def crosses(self, difference: float, level: float | Decimal) -> bool:
        """Whether this sample comes out on the other side. `level` is the size of what was subtracted."""
        before = self.side
        side = 1 if difference > 0.0 else -1
        if side == before or abs(difference) <= TOUCH_FRACTION * float(level):
            return False
        self.side = side
        return before != 0

    def state(self) -> dict[str, Any]:
        return {"side": self.side}

    def restore(self, state: Mapping[str, Any]) -> None:
        side = state.get("side")
        if type(side) is not int or side not in (-1, 0, 1):
            raise CheckpointError(f"side: expected -1, 0 or 1, got {side!r}")
        self.side = side
