"""Clocks: the system's, and one that a recording or a test moves."""

import time


class SystemClock:
    def now_ms(self) -> int:
        return int(time.time() * 1000)


class GivenClock:
    """Shows the time it was given last. It refuses to go back: time that runs backwards is a fault of the giver."""

    __slots__ = ("_now_ms",)

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Raises ValueError when `now_ms` lies before the time shown."""
        if now_ms < self._now_ms:
            raise ValueError(f"the clock shows {self._now_ms} and cannot go back to {now_ms}")
        self._now_ms = now_ms
