"""What outlives every process: virtual time, what is under way in it, the dice, the story and the verdicts."""

import heapq
from collections import Counter
from collections.abc import Callable
from random import Random

from dirigent.proofs.simulation.faults import AS_DRAWN, FaultPlan, Faults
from dirigent.proofs.simulation.virtual_loop import US

EPOCH_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, when every history begins."""


class Violation(Exception):
    """Something happened that must never happen; the message says what."""


class World:
    """Of one history. It is a Clock, too."""

    def __init__(self, seed: int, plan: FaultPlan = AS_DRAWN, *, telling: bool = False) -> None:
        self.seed = seed
        self.now_us = 0
        self.faults = Faults(seed, plan)
        self.random = Random(f"{seed}:world")
        self.operations: Counter[str] = Counter()
        self.operations_total = 0
        self.violations: list[str] = []
        self.story: list[str] | None = [] if telling else None
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0

    def now_ms(self) -> int:
        return EPOCH_MS + self.now_us // 1000

    def current_us(self) -> int:
        return self.now_us

    def after(self, delay_s: float, event: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now_us + round(delay_s * US), self._number, event))

    @property
    def next_event_us(self) -> int | None:
        return self._events[0][0] if self._events else None

    def fire_event(self) -> None:
        heapq.heappop(self._events)[2]()

    def count(self, operation: str) -> None:
        """Something that the engine has to do with."""
        self.operations[operation] += 1
        self.operations_total += 1

    def happens(self, kind: str, where: str = "") -> bool:
        """Whether this fault happens here."""
        if not self.faults.happens(kind):
            return False
        if self.story is not None:
            self.tell(f"FAULT {kind} {where}")
        return True

    def violate(self, what: str) -> None:
        self.violations.append(what)
        self.tell(f"VIOLATION {what}")

    def tell(self, what: str) -> None:
        if self.story is not None:
            self.story.append(f"{self.now_us / US:11.4f} {what}")
