"""The pace of requests: what is urgent overtakes what waits, within the exchange's own limit."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Any


class Priority(IntEnum):
    """The lower goes first."""

    EXIT = 0
    CANCEL = 1
    ENTRY = 2
    QUERY = 3


_urgency: ContextVar[Priority] = ContextVar("urgency", default=Priority.QUERY)


@contextmanager
def urgency(priority: Priority) -> Iterator[None]:
    """Requests made inside the block wait in this class."""
    token = _urgency.set(priority)
    try:
        yield
    finally:
        _urgency.reset(token)


class PriorityThrottle:
    """Takes the place of ccxt's first-in-first-out throttle of one instance; same limits, another order.

    `bucket` is ccxt's: `rateLimit` in ms a unit of cost, and either a leaking bucket of `capacity` or a window
    of `windowSize` ms. Awaiting a call of it is the permission to send.
    """

    def __init__(self, bucket: Mapping[str, Any]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None  # set by ccxt
        self._unit_s = float(bucket.get("rateLimit") or 0) / 1000
        self._capacity = float(bucket.get("capacity") or 1)
        self._window_s = float(bucket.get("windowSize") or 0) / 1000
        self._rolling = bucket.get("algorithm", "leakyBucket") != "leakyBucket"
        self._tokens = 0.0
        self._refilled_at_s = monotonic()
        self._spent: deque[tuple[float, float]] = deque()
        self._waiting: list[tuple[int, int, float, asyncio.Future[None]]] = []
        self._numbers = count()
        self._pump: asyncio.Task[None] | None = None

    def __call__(self, cost: float | None = None) -> "asyncio.Future[None]":
        permission: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        units = 1.0 if cost is None else float(cost)
        heappush(self._waiting, (_urgency.get(), next(self._numbers), units, permission))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._let_through())
        return permission

    def close(self, error: Exception) -> None:
        """Who waits gets the error."""
        if self._pump is not None:
            self._pump.cancel()
        for _, _, _, permission in self._waiting:
            if not permission.done():
                permission.set_exception(error)
        self._waiting.clear()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def _let_through(self) -> None:
        while self._waiting:
            pause_s = self._pause_s()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
                continue
            _, _, units, permission = heappop(self._waiting)
            if not permission.done():  # else the caller gave up while it waited
                self._spend(units)
                permission.set_result(None)

    def _pause_s(self) -> float:
        now_s = monotonic()
        if self._rolling:
            return self._window_pause_s(now_s)
        if not self._unit_s:
            return 0.0
        refill = (now_s - self._refilled_at_s) / self._unit_s
        self._tokens = min(self._tokens + refill, self._capacity)
        self._refilled_at_s = now_s
        return -self._tokens * self._unit_s

    def _window_pause_s(self, now_s: float) -> float:
        while self._spent and self._spent[0][0] <= now_s - self._window_s:
            self._spent.popleft()
        used = sum(units for _, units in self._spent)
        wanted = self._waiting[0][2]
        if not self._spent or not self._unit_s or used + wanted <= self._window_s / self._unit_s:
            return 0.0
        return self._spent[0][0] + self._window_s - now_s

    def _spend(self, units: float) -> None:
        if self._rolling:
            self._spent.append((monotonic(), units))
        else:
            self._tokens -= units
