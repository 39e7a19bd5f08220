"""An order whose answer never came is unknown, and stays so until there is evidence."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.messages import OrderStatus, QueryFailed
from tests.services.bench import Bench, Plan, limit_rules, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import cancelled, closed, resting, said, trade

LOST = TimeoutError("no answer")


async def lost_entry(bench: Bench) -> str:
    bench.desk.creates.append(LOST)
    entry = await bench.enter()
    assert bench.order(entry).state == "unknown"
    return entry


@pytest.mark.parametrize(
    "answer",
    [LOST, ValueError("broken answer"), lambda of: said(of, OrderStatus.OPEN, name=None)],
    ids=["time-out", "garbage", "an order without an id"],
)
async def test_an_answer_that_proves_nothing_leaves_the_order_unknown(tmp_path: Path, answer: Any) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        desk.creates.append(answer)
        entry = await bench.enter()
        assert bench.order(entry).state == "unknown"
        assert bench.position().state == "ordering"
        assert desk.calls[:2] == [("create", entry), ("fetch", entry)]


async def test_an_order_is_never_sent_twice_however_long_it_stays_unknown(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk, market_rules())) as bench:
        entry = await lost_entry(bench)
        for _ in range(30):
            await bench.wait(60)
        assert bench.order(entry).state == "unknown"
        assert desk.asked("create") == [entry]
        assert len(desk.asked("fetch")) >= 30


async def test_a_lost_answer_is_logged_with_its_order(
    tmp_path: Path, logged: list[dict[str, object]]
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry = await lost_entry(bench)
        lines = [line for line in logged if line.get("event") == "outcome_lost"]
        assert [line["order"] for line in lines] == [entry], "the look-ups that fail are told at debug"
        assert "no answer" in str(lines[0]["error"])


@pytest.mark.parametrize(
    ("found", "order", "position"),
    [
        (resting, "working", "ordering"),
        (lambda of: resting(of, trade("f1", of, "4")), "partially_filled", "ordering"),
        (lambda of: closed(of, trade("f1", of, "10")), "filled", "open"),
        (cancelled, "cancelled", "abandoned"),
    ],
    ids=["resting", "partly filled", "filled", "cancelled"],
)
async def test_a_look_up_settles_an_unknown_order(
    tmp_path: Path, found: Any, order: str, position: str
) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        entry = await lost_entry(bench)
        deal = bench.position().id
        desk.fetches.append(found)
        await bench.wait(1)
        assert bench.order(entry).state == order
        assert bench.position(deal).state == position


async def test_absence_is_believed_only_after_the_window_for_late_requests(tmp_path: Path) -> None:
    desk = ScriptedDesk(late_arrival_ms=5_000)
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        desk.fetches.extend([lambda _: None] * 100)
        entry = await lost_entry(bench)
        deal = bench.position().id
        await bench.wait(5)
        assert bench.order(entry).state == "unknown"
        await bench.wait(3)
        assert bench.order(entry).state == "rejected"
        assert bench.position(deal).state == "abandoned"


async def test_a_request_still_in_flight_is_not_proved_absent(tmp_path: Path) -> None:
    desk = ScriptedDesk(late_arrival_ms=1_000)
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        arrives = asyncio.Event()
        desk.creates.extend([arrives, lambda of: closed(of, trade("f1", of, "10"))])
        desk.fetches.extend([lambda _: None] * 100)
        await bench.price("10")
        await bench.orchestrator.handle_buy_signal({"id": "b", "symbol": "ADA/USDT"})
        await asyncio.sleep(0)
        clock: Any = bench.plan.clock
        for _ in range(20):
            clock.set(bench.now_ms + 10_000)
            await bench.orchestrator.update_open_positions()
            for _ in range(5):
                await asyncio.sleep(0)
        (entry,) = desk.asked("create")
        assert bench.order(entry).state == "unknown"
        assert len(desk.asked("fetch")) > 5
        arrives.set()
        await bench.settle()
        assert bench.order(entry).state == "filled"
        assert bench.position().state == "open"


async def test_the_window_counts_from_the_failure_when_a_request_left_late(tmp_path: Path) -> None:
    """A request that was held back may arrive that much later."""
    desk = ScriptedDesk(late_arrival_ms=5_000)
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        await bench.price("10")
        bench.engine.state.sends_are_held = True
        await bench.buy()
        clock: Any = bench.plan.clock
        clock.set(bench.now_ms + 8_000)
        desk.creates.append(LOST)
        desk.fetches.extend([lambda _: None] * 100)
        bench.engine.state.release_sends()
        await bench.settle()
        (entry,) = desk.asked("create")
        assert bench.order(entry).state == "unknown"
        await bench.wait(4)
        assert bench.order(entry).state == "unknown"
        await bench.wait(20)
        assert bench.order(entry).state == "rejected"


async def test_a_held_request_whose_order_turns_out_to_exist_is_not_sent(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        await bench.price("10")
        bench.engine.state.sends_are_held = True
        assert (await bench.buy()).taken
        await bench.hear(resting(bench.position().entry_order_id))
        bench.engine.state.release_sends()
        await bench.settle()
        assert bench.desk.calls == []


async def test_a_failed_question_is_no_answer(tmp_path: Path) -> None:
    desk = ScriptedDesk(late_arrival_ms=0)
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        desk.fetches.extend([QueryFailed("down")] * 100)
        entry = await lost_entry(bench)
        for _ in range(10):
            await bench.wait(60)
        assert bench.order(entry).state == "unknown"


async def test_what_filled_of_an_order_that_the_exchange_forgot_is_kept(tmp_path: Path) -> None:
    desk = ScriptedDesk(late_arrival_ms=1_000)
    rules = limit_rules(entry_max_age_s=60)
    async with running(tmp_path / "d.sqlite", Plan(desk, rules)) as bench:
        entry = await bench.enter()
        await bench.hear(resting(entry, trade("f1", entry, "4")))
        desk.cancels.append(LOST)
        desk.fetches.extend([lambda _: None] * 100)
        await bench.wait(60)
        await bench.wait(60)
        assert bench.order(entry).state in ("cancelled", "unknown")
        assert bench.position().bought == Decimal(4)


async def test_a_silent_order_is_looked_up_at_its_deadline(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        entry = await bench.enter()
        assert bench.order(entry).state == "working"
        await bench.wait(29.999)
        assert desk.asked("fetch") == []
        desk.fetches.append(lambda of: closed(of, trade("f1", of, "10")))
        await bench.wait(0.001)
        assert desk.asked("fetch") == [entry]
        assert bench.position().state == "open"


async def test_an_unanswered_request_becomes_unknown_at_the_acknowledgement_deadline(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        never = asyncio.Event()
        desk.creates.append(never)
        await bench.price("10")
        await bench.orchestrator.handle_buy_signal({"id": "b", "symbol": "ADA/USDT"})
        await asyncio.sleep(0)
        (entry,) = desk.asked("create")
        clock: Any = bench.plan.clock
        for passed_ms, state in ((9_999, "submitting"), (1, "unknown")):
            clock.set(bench.now_ms + passed_ms)
            await bench.orchestrator.update_open_positions()
            assert bench.order(entry).state == state
        never.set()
        await bench.settle()
        assert bench.order(entry).state == "working"


async def test_an_unknown_order_is_asked_for_ever_more_rarely(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        entry = await lost_entry(bench)
        asked_at_s = [0]
        for second in range(1, 600):
            await bench.wait(1)
            asked_at_s += [second] * (len(desk.asked("fetch")) - len(asked_at_s))
        pauses = [after - before for before, after in pairwise(asked_at_s)]
        assert pauses == sorted(pauses)
        assert (pauses[0], pauses[-1]) == (1, 60)
        assert bench.order(entry).state == "unknown"
