"""An event loop without a clock, a socket or a thread: it runs one callback when told to, in virtual time."""

import asyncio
import heapq
from asyncio.events import _set_running_loop
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
US = 1_000_000


class ProcessDied(SystemExit):
    """The simulated process ends here, at once. Of this kind because event loops let it through."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """The loop of one simulated process. Whoever owns it says when its next callback runs and what time it is.

    It has what the engine calls and no more, so it stays abstract to a type checker: no files, no sockets, no threads.
    One that is dropped with callbacks in it is a process that died: nothing of it ever runs again.
    """

    def __init__(self, now_us: Callable[[], int], on_fault: Callable[[str], None]) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        self.is_dead = False
        self._now_us = now_us
        self._on_fault = on_fault
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._timer_number = 0

    @property
    def next_timer_us(self) -> int | None:
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def fire_timer(self) -> None:
        """Makes the next timer's callback ready."""
        self.ready.append(heapq.heappop(self._timers)[2])

    def run_one(self) -> None:
        """Runs the next ready callback. Raises ProcessDied when the process dies in it."""
        handle = self.ready.popleft()
        if not handle.cancelled():
            handle._run()

    def enter(self) -> None:
        _set_running_loop(self)

    def leave(self) -> None:
        _set_running_loop(None)

    def die(self) -> None:
        self.is_dead = True
        self.ready.clear()
        self._timers.clear()
        for task in asyncio.all_tasks(self):
            coroutine = task.get_coro()
            if coroutine is not None:
                coroutine.close()
        self.leave()

    def time(self) -> float:
        return self._now_us() / US

    def call_soon(
        self, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.is_dead:
            self.ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.is_dead:
            self._timer_number += 1
            heapq.heappush(self._timers, (round(when * US), self._timer_number, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is dropped when its turn comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # newer Pythons pass more
        self, coro: Coroutine[Any, Any, _T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[_T]:
        return asyncio.Task(coro, loop=self, name=name or "task")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.is_dead

    def is_closed(self) -> bool:
        return self.is_dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An exception that nobody caught is a fault of the engine, unless its process has died."""
        if not self.is_dead:
            self._on_fault(f"{context.get('message')}: {context.get('exception')!r}")
