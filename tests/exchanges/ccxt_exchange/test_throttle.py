"""Who goes first when requests wait, and that the exchange's pace is kept."""

import asyncio
from time import monotonic
from typing import Any

import pytest

from services.exchanges.ccxt_exchange.throttle import Priority, PriorityThrottle, urgency

LEAKY: dict[str, Any] = {"rateLimit": 20, "capacity": 1, "algorithm": "leakyBucket"}


async def in_order(throttle: PriorityThrottle, wanted: list[Priority]) -> list[Priority]:
    gone: list[Priority] = []

    async def send(priority: Priority) -> None:
        with urgency(priority):
            await throttle(1)
        gone.append(priority)

    await asyncio.gather(*(send(priority) for priority in wanted))
    return gone


async def test_exits_go_before_cancels_before_entries_before_questions() -> None:
    wanted = [Priority.QUERY, Priority.ENTRY, Priority.QUERY, Priority.CANCEL, Priority.EXIT]
    assert await in_order(PriorityThrottle(LEAKY), wanted) == sorted(wanted)


async def test_among_equals_the_first_to_come_goes_first() -> None:
    throttle, gone = PriorityThrottle(LEAKY | {"rateLimit": 1}), []

    async def send(number: int) -> None:
        await throttle(1)
        gone.append(number)

    await asyncio.gather(*(send(number) for number in range(20)))
    assert gone == list(range(20))


async def test_the_pace_is_the_exchanges() -> None:
    throttle, began_s = PriorityThrottle(LEAKY), monotonic()
    for _ in range(6):
        await throttle(1)
    assert monotonic() - began_s >= 4 * 0.02


async def test_a_dear_request_is_paid_for_by_the_next() -> None:
    throttle = PriorityThrottle(LEAKY)
    await throttle(5)
    began_s = monotonic()
    await throttle(1)
    assert monotonic() - began_s >= 3 * 0.02


async def test_who_gives_up_while_waiting_costs_nobody_anything() -> None:
    throttle = PriorityThrottle(LEAKY)
    await throttle(1)
    waiting = [asyncio.ensure_future(throttle(50)) for _ in range(10)]
    for future in waiting:
        future.cancel()
    async with asyncio.timeout(0.5):
        await throttle(1)
    assert throttle.waiting == 0


async def test_a_window_takes_its_weight_at_once_and_then_waits() -> None:
    bucket = {"rateLimit": 20, "algorithm": "rollingWindow", "windowSize": 100}
    throttle, began_s = PriorityThrottle(bucket), monotonic()
    for _ in range(5):
        await throttle(1)
    assert monotonic() - began_s < 0.09
    await throttle(1)
    assert monotonic() - began_s >= 0.095


async def test_without_a_limit_nobody_waits() -> None:
    throttle = PriorityThrottle({"rateLimit": 0})
    async with asyncio.timeout(1):
        await asyncio.gather(*(throttle(1) for _ in range(500)))


@pytest.mark.parametrize("priority", Priority)
async def test_the_urgency_ends_with_its_block(priority: Priority) -> None:
    with urgency(priority):
        pass
    assert await in_order(PriorityThrottle(LEAKY), [Priority.EXIT]) == [Priority.EXIT]


async def test_who_waits_at_the_end_is_told() -> None:
    throttle = PriorityThrottle(LEAKY)
    await throttle(50)
    waiting = [asyncio.ensure_future(throttle(1)) for _ in range(3)]
    await asyncio.sleep(0)
    throttle.close(RuntimeError("closed"))
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(end) for end in ends] == ["closed"] * 3
    assert throttle.waiting == 0
