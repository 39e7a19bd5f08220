"""Whoever stops tasks gets to their end, whatever lies beneath them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services import tasks
from services.tasks import end_tasks


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.05)


async def waiting() -> None:
    await asyncio.Event().wait()


def swallowing(times: int) -> Callable[[], Awaitable[None]]:
    async def swallow() -> None:
        for _ in range(times):
            try:
                await waiting()
            except asyncio.CancelledError:
                continue
        await waiting()

    return swallow


@pytest.mark.parametrize("times", range(4))
async def test_a_task_that_swallows_its_cancellation_ends_all_the_same(times: int) -> None:
    task = asyncio.ensure_future(swallowing(times)())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await end_tasks((task, asyncio.create_task(waiting()))) == [None, None]
    assert task.cancelled()


async def test_last_words_are_not_cut_off() -> None:
    said: list[str] = []

    async def farewell() -> None:
        try:
            await waiting()
        finally:
            await asyncio.sleep(0.01)
            said.append("saved")

    task = asyncio.create_task(farewell())
    await asyncio.sleep(0)
    await end_tasks((task,))
    assert said == ["saved"]


async def test_failures_come_back_in_the_order_of_the_tasks() -> None:
    async def failing(words: str) -> None:
        raise ValueError(words)

    async def failing_at_the_end() -> None:
        try:
            await waiting()
        finally:
            raise ValueError("not saved")

    made = [asyncio.create_task(work) for work in (failing("first"), waiting(), failing_at_the_end())]
    await asyncio.sleep(0)
    assert [str(fault) for fault in await end_tasks(made)] == ["first", "None", "not saved"]


async def test_nothing_to_end_is_no_wait() -> None:
    assert await end_tasks(()) == []
