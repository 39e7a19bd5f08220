"""Finds out on purpose whether an exchange that stopped answering is back: one question after each pause."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from loguru import logger

from services.exchanges.ccxt_exchange.breaker import Breaker, Circuit
from services.messages import QueryFailed
from services.tasks import end_tasks

ASKED_AGAIN_AFTER_S = 2.0
"""A question that hangs is left to its own end, and another is asked beside it: the first may have left in vain."""
_LOOK_EVERY_S = 0.5
_TURN_TAKEN_S = 0.1


class Probe:
    """Runs while the circuit of `breaker` is open; `ask` puts one cheap question through it, or raises QueryFailed."""

    def __init__(self, breaker: Breaker, ask: Callable[[], Awaitable[object]]) -> None:
        self._breaker = breaker
        self._ask = ask
        self._task: asyncio.Task[None] | None = None
        self._hurried = asyncio.Event()
        self._is_closed = False
        breaker.when_opened(self._begin)

    def hurry(self) -> None:
        """The exchange showed a sign of life: it is asked now, unless it said until when it wants to be left alone."""
        if self._breaker.end_pause():
            self._hurried.set()

    async def close(self) -> None:
        self._is_closed = True
        if self._task is not None:
            await end_tasks((self._task,))

    def _begin(self) -> None:
        if not self._is_closed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._breaker.status().circuit is not Circuit.CLOSED:
            await self._outlast()

    async def _outlast(self) -> None:
        """From an opened circuit to a closed one."""
        loop = asyncio.get_running_loop()
        began_s, asked = loop.time(), 0
        logger.bind(event="circuit_opened", reason=self._breaker.status().why).warning("circuit_opened")
        hanging: set[asyncio.Task[None]] = set()
        try:
            while self._breaker.status().circuit is not Circuit.CLOSED:
                if await self._is_due():
                    question = asyncio.create_task(self._ask_once())
                    asked += 1
                    hanging.add(question)
                    await asyncio.wait({question}, timeout=ASKED_AGAIN_AFTER_S)
                    hanging = {task for task in hanging if not task.done()}
        finally:
            await end_tasks(hanging)  # else their late failures would count against an exchange that is back
        open_s = round(loop.time() - began_s, 1)
        logger.bind(event="circuit_closed", open_s=open_s, probes=asked).info("circuit_closed")

    async def _is_due(self) -> bool:
        """Looks now and then instead of sleeping through: the breaker's clock may be set, and others may ask too."""
        status = self._breaker.status()
        if status.circuit is Circuit.OPEN:
            left_s = ((status.until_ms or 0) - self._breaker.now_ms()) / 1000
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(left_s, 0.001), _LOOK_EVERY_S)):
                    await self._hurried.wait()
            self._hurried.clear()
        return self._breaker.status().circuit is Circuit.HALF_OPEN

    async def _ask_once(self) -> None:
        try:
            await self._ask()
        except QueryFailed:
            if self._breaker.status().circuit is Circuit.HALF_OPEN:
                await asyncio.sleep(_TURN_TAKEN_S)  # another has the turn, or the question could not be put
