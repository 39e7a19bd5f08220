"""How much was asked, and who is told to wait: 429 with Retry-After, and 418 for those who do not wait."""

import time
from collections import Counter
from collections.abc import Callable

from dirigent.rehearsal.api_error import ApiError

_PATIENCE = 10
"""Requests during a wait that are forgiven."""
_MINUTE_S = 60.0


class RequestLimits:
    def __init__(self, retry_after_s: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wait_s = retry_after_s
        self._monotonic = monotonic
        self._until_s = 0.0
        self._is_banned = False
        self._ignored = 0
        self._minute_began_s = monotonic()
        self._weight = 0
        self.counts: Counter[str] = Counter()
        """Requests by name, since the start."""

    def count(self, name: str, weight: int = 1) -> None:
        self.counts[name] += 1
        now = self._monotonic()
        if now - self._minute_began_s >= _MINUTE_S:
            self._minute_began_s, self._weight = now, 0
        self._weight += weight

    def headers(self) -> dict[str, str]:
        return {"X-MBX-USED-WEIGHT-1M": str(self._weight), "X-MBX-USED-WEIGHT": str(self._weight)}

    @property
    def retry_after_s(self) -> int:
        return max(int(self._until_s - self._monotonic() + 0.999), 1)

    def begin(self, *, ban: bool) -> ApiError:
        """From now on everything is refused for a while."""
        self._is_banned, self._ignored = ban, 0
        self._until_s = self._monotonic() + self._wait_s * (2 if ban else 1)
        return self._error()

    def refusal(self) -> ApiError | None:
        """None when nothing stands against a request."""
        if self._monotonic() >= self._until_s:
            return None
        self._ignored += 1
        if self._ignored > _PATIENCE and not self._is_banned:
            return self.begin(ban=True)
        return self._error()

    def _error(self) -> ApiError:
        if self._is_banned:
            self.counts["answered 418"] += 1
            return ApiError(-1003, "Way too much request weight used; IP banned until the wait is over.", 418)
        self.counts["answered 429"] += 1
        return ApiError(-1003, "Too much request weight used; current limit is 6000 per 1 MINUTE.", 429)
