"""When the books are compared: at a start before anything is sent, every few minutes, and after a gap in the stream."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

import run_realtime_trading
from services.messages import OrderReport, QueryFailed
from services.reconciliation.plan import Kind
from services.resumption import resume
from tests.reconciliation.accounts import Desk, FlakyExchange, cancelled_unheard, traded


def failing_first(
    monkeypatch: pytest.MonkeyPatch, exchange: FlakyExchange, question: str, *faults: Exception
) -> list[Exception]:
    """Until they are used up, these faults are the exchange's answers to the question; those that are left."""
    left = list(faults)
    honest: Callable[[], Awaitable[list[OrderReport]]] = getattr(exchange, question)

    async def ask() -> list[OrderReport]:
        if left:
            raise left.pop()
        return await honest()

    monkeypatch.setattr(exchange, question, ask)
    return left


async def test_a_gap_in_the_stream_of_reports_asks_for_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_realtime_trading, "RETRY_S", 0)
    async with traded(tmp_path) as desk:
        await cancelled_unheard(desk)
        failing_first(monkeypatch, desk.exchange, "watch_orders", ConnectionResetError("gone"))
        tasks = [
            asyncio.create_task(desk.reconciler.run(3600)),
            asyncio.create_task(
                run_realtime_trading.watch_orders(
                    desk.exchange, desk.engine.orchestrator, desk.reconciler.request
                )
            ),
        ]
        await until_reconciled(desk)
        await stopped(tasks)
        assert desk.order().state == "cancelled"


async def until_reconciled(desk: Desk, times: int = 1) -> None:
    for _ in range(times):
        desk.reconciler.reconciled_at_ms = 0
        async with asyncio.timeout(5):
            while not desk.reconciler.reconciled_at_ms:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def stopped(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


async def test_it_comes_round_by_itself_and_a_failed_question_ends_only_its_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        faults = failing_first(
            monkeypatch, desk.exchange, "fetch_open_orders", QueryFailed("no"), QueryFailed("no")
        )
        running = asyncio.create_task(desk.reconciler.run(0.001))
        await until_reconciled(desk, times=3)
        await stopped([running])
        assert faults == []


async def test_at_a_start_the_books_are_compared_before_anything_is_sent(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        held: list[bool] = []

        async def compare() -> None:
            held.append(desk.engine.state.sends_are_held)
            await desk.reconciler.reconcile()

        await resume(
            desk.engine.orchestrator, desk.exchange, desk.store.load(), desk.engine.symbols, reconcile=compare
        )
        assert held == [True]
        assert desk.engine.state.sends_are_held is False


async def test_what_is_in_motion_is_not_compared(tmp_path: Path) -> None:
    """An order that is on its way has locked money and may have bought coins already."""
    async with traded(tmp_path) as desk:
        await desk.price("10")
        await desk.reconcile()
        desk.exchange.deaf = desk.exchange.fails = True
        assert await desk.buy()
        desk.hear(lost=True)
        plan = await desk.reconcile()
        assert {row.kind for row in plan.differences} == {Kind.ORDER_UNKNOWN}
        assert any(words.startswith("holding of ADA") for words in plan.not_compared)
        assert any(words.startswith("balance of USDT") for words in plan.not_compared)
        assert desk.permission() == "active"
        desk.exchange.fails = False
        await desk.reconcile()
        assert desk.position().state == "open"
        desk.books_are_equal()


@pytest.mark.parametrize("turns", range(5))
async def test_a_stop_in_the_moment_of_a_request_is_not_lost(tmp_path: Path, turns: int) -> None:
    """A stop that is swallowed is waited for for ever: whichever comes first, whatever lies between."""
    async with traded(tmp_path) as desk:
        running = asyncio.create_task(desk.reconciler.run(3600))
        await asyncio.sleep(0.01)
        desk.reconciler.request()
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        _, late = await asyncio.wait([running], timeout=2)
        running.cancel()
        assert late == set()
