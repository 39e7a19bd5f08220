"""The exchange's own clock, which may be wrong, and the maintenance that it is due for."""

import time
from collections.abc import Callable

from dirigent.rehearsal.chaos import Chaos


class ServerClock:
    def __init__(self, chaos: Chaos, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._chaos = chaos
        self.maintenance = chaos.maintenance
        self._monotonic = monotonic
        self._started_s = monotonic()

    @property
    def elapsed_s(self) -> float:
        return self._monotonic() - self._started_s

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as the exchange sees them."""
        skewed = self.elapsed_s >= self._chaos.clock_skew_after_s
        return time.time_ns() // 1_000_000 + (self._chaos.clock_skew_ms if skewed else 0)

    @property
    def in_maintenance(self) -> bool:
        elapsed_s = self.elapsed_s
        return any(
            window.after_s <= elapsed_s < window.after_s + window.duration_s for window in self.maintenance
        )
