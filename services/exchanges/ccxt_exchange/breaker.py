"""The circuit breaker of one exchange: when it asks for quiet or does not answer, nobody calls for a while."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Circuit(StrEnum):
    CLOSED = "closed"
    """Requests go out."""
    OPEN = "open"
    """Nothing goes out that can wait."""
    HALF_OPEN = "half-open"
    """The pause is over; one request at a time finds out whether the exchange is back."""


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """What `status` shows. `until_ms` is None unless the circuit is open."""

    circuit: Circuit
    why: str = ""
    until_ms: int | None = None
    is_ordered: bool = False
    """The exchange itself asked for quiet (429, 418): not even an exit is sent."""


class Breaker:
    """Opens after `failures_max` failures in a row, for a pause that doubles each time; and at the exchange's
    own word, for as long as it says."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        *,
        failures_max: int = 5,
        pause_min_ms: int = 2_000,
        pause_max_ms: int = 60_000,
    ) -> None:
        self._now_ms = now_ms
        self._failures_max = failures_max
        self._pause_min_ms = pause_min_ms
        self._pause_max_ms = pause_max_ms
        self._failures = 0
        self._why = ""
        self._until_ms = 0
        self._is_ordered = False
        self._probe_until_ms = 0

    def status(self) -> BreakerStatus:
        if not self._until_ms:
            return BreakerStatus(Circuit.CLOSED, self._why if self._failures else "")
        if self._now_ms() < self._until_ms:
            return BreakerStatus(Circuit.OPEN, self._why, self._until_ms, self._is_ordered)
        return BreakerStatus(Circuit.HALF_OPEN, self._why)

    def refusal(self) -> str:
        """Why a request must not go out now; empty when it may. While half-open, the one who asks is the probe."""
        status = self.status()
        if status.circuit is Circuit.CLOSED:
            return ""
        now_ms = self._now_ms()
        if status.circuit is Circuit.HALF_OPEN and now_ms >= self._probe_until_ms:
            self._probe_until_ms = now_ms + self._pause_min_ms
            return ""
        left_s = (max(self._until_ms, self._probe_until_ms) - now_ms) / 1000
        return f"the exchange is left alone for {left_s:.1f} s more: {self._why}"

    def entry_refusal(self) -> str:
        """Why no entry may go out: unless the exchange is known to answer, its outcome would be lost."""
        status = self.status()
        return (
            "" if status.circuit is Circuit.CLOSED else f"the exchange is not known to answer: {status.why}"
        )

    def order_refusal(self) -> str:
        """Why not even an exit or a cancel may go out: the exchange asked for quiet."""
        status = self.status()
        return self.refusal() if status.circuit is Circuit.OPEN and status.is_ordered else ""

    def note_answer(self) -> None:
        """The exchange answered, whatever it said."""
        if self._until_ms and self._now_ms() < self._until_ms and self._is_ordered:
            return  # the answer to a request from before it asked for quiet
        self._failures, self._until_ms, self._probe_until_ms = 0, 0, 0
        self._is_ordered = False

    def note_failure(self, why: str, *, is_grave: bool = False, pause_ms: int | None = None) -> None:
        """It did not answer, or said that it cannot.

        A grave one, such as maintenance, opens the circuit at once; so does one that says for how long.
        """
        self._why = why
        self._failures = max(self._failures + 1, self._failures_max if is_grave or pause_ms else 0)
        if self._failures < self._failures_max or self.status().circuit is Circuit.OPEN:
            return
        doublings = min(self._failures - self._failures_max, 16)
        usual_ms = min(self._pause_min_ms << doublings, self._pause_max_ms)
        self._until_ms, self._is_ordered = self._now_ms() + (pause_ms or usual_ms), False
        self._probe_until_ms = 0

    def keep_quiet(self, pause_ms: int, why: str) -> None:
        """The exchange asked for a pause; a longer one that is under way stays."""
        until_ms = self._now_ms() + pause_ms
        if until_ms > self._until_ms:
            self._until_ms, self._why = until_ms, why
        self._is_ordered = True
        self._probe_until_ms = 0
