"""An event loop that never runs by itself: mail is drained when told, and effects are noted instead of performed."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from services.turns.turn import Effect


class Started:
    """The task of an effect that will be performed by a later move of the exploration."""

    def add_done_callback(self, _: Callable[..., Any]) -> None:
        return None


class StillLoop:
    """What StateManagementService and a future ask of a loop, and no more.

    `log` tells commits (None) and started effects in their order.
    """

    def __init__(self) -> None:
        self.ready: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.log: list[Effect | None] = []

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> None:
        self.ready.append((callback, args))

    def create_task(self, effect: Effect) -> Started:
        self.log.append(effect)
        return Started()

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An exception that nobody fetched: the outcome holds it already."""

    def drain(self) -> None:
        while self.ready:
            callback, args = self.ready.pop(0)
            callback(*args)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Within it this is the running loop."""
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, self))
        try:
            yield
        finally:
            asyncio._set_running_loop(outer)
