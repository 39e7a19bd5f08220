"""OrderRate: how many orders were planned in the last minute, across restarts."""

from collections import deque
from collections.abc import Iterable

WINDOW_MS = 60_000


class OrderRate:
    """Moments of orders, entries and exits alike; those older than a minute are forgotten."""

    def __init__(self) -> None:
        self._moments: deque[int] = deque()

    def note(self, at_ms: int) -> None:
        self._moments.append(at_ms)
        self._forget(at_ms)

    def count(self, now_ms: int) -> int:
        self._forget(now_ms)
        return len(self._moments)

    def below_in_ms(self, limit: int, now_ms: int) -> int:
        """How long until fewer than `limit` count, if no further one comes; 0 when they do already."""
        excess = self.count(now_ms) - limit
        return 0 if excess < 0 else self._moments[excess] + WINDOW_MS - now_ms

    def restore(self, moments: Iterable[int], now_ms: int) -> None:
        self._moments = deque(sorted(moment for moment in moments if now_ms - WINDOW_MS < moment <= now_ms))

    def _forget(self, now_ms: int) -> None:
        moments = self._moments
        while moments and moments[0] <= now_ms - WINDOW_MS:
            moments.popleft()
