"""The circuit breaker of one exchange: when it asks for quiet or does not answer, nobody calls for a while."""

import random
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


PROBE_PAUSE_MIN_MS = 1_000
PROBE_PAUSE_MAX_MS = 2_000
"""An exchange that does not answer is asked again after a random time between the two: its return is noticed soon."""


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """What `status` shows. `until_ms` is None unless the circuit is open."""

    circuit: Circuit
    why: str = ""
    until_ms: int | None = None
    is_ordered: bool = False
    """The exchange itself asked for quiet (429, 418): not even an exit is sent."""


class Breaker:
    """Opens after `failures_max` failures in a row, for a short pause after which one request finds out whether the
    exchange is back, and again; and at the exchange's own word, for as long as it says."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        *,
        failures_max: int = 5,
        pause_min_ms: int = PROBE_PAUSE_MIN_MS,
        pause_max_ms: int = PROBE_PAUSE_MAX_MS,
    ) -> None:
        self.now_ms = now_ms
        self._failures_max = failures_max
        self._pause_min_ms = pause_min_ms
        self._pause_max_ms = pause_max_ms
        self._failures = 0
        self._why = ""
        self._until_ms = 0
        self._is_ordered = False
        self._is_awaited = False
        """The exchange said for how long: its pause is not shortened."""
        self._probe_until_ms = 0
        self._opened_told: list[Callable[[], None]] = []
        self._closed_told: list[Callable[[], None]] = []

    def when_opened(self, call: Callable[[], None]) -> None:
        self._opened_told.append(call)

    def when_closed(self, call: Callable[[], None]) -> None:
        """Called when the exchange answers after all: what was refused meanwhile may be asked now."""
        self._closed_told.append(call)

    def status(self) -> BreakerStatus:
        if not self._until_ms:
            return BreakerStatus(Circuit.CLOSED, self._why if self._failures else "")
        if self.now_ms() < self._until_ms:
            return BreakerStatus(Circuit.OPEN, self._why, self._until_ms, self._is_ordered)
        return BreakerStatus(Circuit.HALF_OPEN, self._why)

    def refusal(self) -> str:
        """Why a request must not go out now; empty when it may. While half-open, the one who asks is the probe."""
        status = self.status()
        if status.circuit is Circuit.CLOSED:
            return ""
        now_ms = self.now_ms()
        if status.circuit is Circuit.HALF_OPEN and now_ms >= self._probe_until_ms:
            self._probe_until_ms = now_ms + self._pause_max_ms
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

    def wait_ms(self) -> int:
        """For how long the exchange asked for quiet; 0 when it did not."""
        status = self.status()
        return max(self._until_ms - self.now_ms(), 0) if status.is_ordered else 0

    def end_pause(self) -> bool:
        """There is a sign that the exchange is back: the next request may find out, unless it said until when."""
        if self.status().circuit is Circuit.CLOSED or self._is_still_awaited():
            return False
        self._until_ms = min(self._until_ms, self.now_ms())
        self._probe_until_ms = 0
        return True

    def note_answer(self) -> None:
        """The exchange answered, whatever it said."""
        if self._is_ordered and self.now_ms() < self._until_ms:
            return  # the answer to a request from before it asked for quiet
        was_open = bool(self._until_ms)
        self._failures, self._until_ms, self._probe_until_ms = 0, 0, 0
        self._is_ordered = self._is_awaited = False
        if was_open:
            for call in self._closed_told:
                call()

    def note_failure(self, why: str, *, is_grave: bool = False, pause_ms: int | None = None) -> None:
        """It did not answer, or said that it cannot.

        A grave one, such as maintenance, opens the circuit at once; so does one that says for how long.
        """
        self._why = why
        self._failures = max(self._failures + 1, self._failures_max if is_grave or pause_ms else 0)
        if self._failures < self._failures_max:
            return
        now_ms, is_awaited = self.now_ms(), self._is_still_awaited()
        if pause_ms:
            until_ms = max(now_ms + pause_ms, self._until_ms if is_awaited else 0)
            self._open(until_ms, is_ordered=is_awaited and self._is_ordered, is_awaited=True)
        elif now_ms >= self._until_ms:
            self._open(now_ms + random.randint(self._pause_min_ms, self._pause_max_ms))

    def keep_quiet(self, pause_ms: int, why: str) -> None:
        """The exchange asked for a pause; a longer one that it asked for before stays."""
        until_ms = self.now_ms() + pause_ms
        self._is_ordered = True
        if until_ms > self._until_ms or not self._is_still_awaited():
            self._why = why
            self._open(until_ms, is_ordered=True, is_awaited=True)

    def _is_still_awaited(self) -> bool:
        return self._is_awaited and self.now_ms() < self._until_ms

    def _open(self, until_ms: int, *, is_ordered: bool = False, is_awaited: bool = False) -> None:
        was_open = bool(self._until_ms)
        self._until_ms, self._probe_until_ms = until_ms, 0
        self._is_ordered, self._is_awaited = is_ordered, is_awaited
        if not was_open:
            for call in self._opened_told:
                call()
