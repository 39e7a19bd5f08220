"""How tasks end: a cancellation that something beneath them swallows is given again."""

import asyncio
from collections.abc import Iterable
from typing import Any

from loguru import logger

AGAIN_S = 1.0
"""How long a task may take over its last words before it is cancelled again."""


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> list[Exception | None]:
    """Cancels the tasks and waits until each has ended; their failures in order, None for one without.

    Who waits for a task that it cancelled once may wait for ever: on Python 3.11 `asyncio.wait_for` swallows a
    cancellation that comes in the moment of its answer (CPython issue 86296), and libraries call it.
    """
    ending = list(tasks)
    running = {task for task in ending if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN_S)
        for task in running:
            logger.bind(event="not_yet_ended", task=repr(task.get_coro())).warning("not_yet_ended")
    return [_failure(task) for task in ending]


def _failure(task: asyncio.Task[Any]) -> Exception | None:
    error = None if task.cancelled() else task.exception()
    return error if isinstance(error, Exception) else None
