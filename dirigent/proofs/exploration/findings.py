"""What a search reports, and the claim that is about everything that can follow."""

from collections.abc import Callable
from dataclasses import dataclass

from dirigent.proofs.exploration.bounds import Bounds
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.position import POSITION

TRAP = "from here no flat state can be reached"
Row = tuple[str, str, str, str]
Progress = Callable[[int, int, int], None]
"""Told now and then: worlds found, worlds still to expand, depth."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A claim that was broken, and the shortest way there."""

    claim: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search found. Without a breach, every claim holds in every one of `worlds`."""

    bounds: Bounds
    worlds: int
    edges: int
    depth: int
    deals: int
    """Different deals: position, orders, and what is true and under way of each."""
    turns: int
    """Turns of the real engine that were run."""
    cut: int
    seconds: float
    rows_taken: frozenset[Row]
    breach: Breach | None = None
    is_complete: bool = True

    @property
    def rows_never_taken(self) -> list[Row]:
        """Machine, source, event and target of each row of pair, position and order that no turn took."""
        rows = {(t.name, r.source, r.event, r.target) for t in (PAIR, POSITION, ORDER) for r in t.rows}
        return sorted(rows - self.rows_taken)
