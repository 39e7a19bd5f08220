"""A store that cannot be written stops every new order at once; with the disk everything goes on by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from fsm.commit import Progress, StoreError
from tests.reconciliation.accounts import Desk, open_deal, traded


@contextmanager
def full_disk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be written; reading works."""

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "_write", refuse)
        patch.setattr(desk.store, "_transact", refuse)
        yield


async def test_entries_stop_at_once_and_go_on_with_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        with full_disk(desk, monkeypatch):
            assert not await desk.buy()
            await desk.price("10")
            assert desk.engine.state.store_fault == "the disk is full"
            assert await desk.exchange.fetch_open_orders() == []
        assert await desk.buy()
        assert desk.engine.state.store_fault == ""
        assert desk.position().state == "open"
        desk.books_are_equal()


async def test_an_exit_that_could_not_be_stored_leaves_with_the_next_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traded(tmp_path, stop_loss=Decimal("0.05")) as desk:
        deal = await open_deal(desk)
        with full_disk(desk, monkeypatch):
            for price in ("9", "8.9", "8.8"):
                await desk.price(price)
            assert desk.position().state == "open"
            assert (await desk.exchange.fetch_balance())["ADA"].total == 10
        await desk.price("8.7")
        sold = desk.store.find_position(deal)
        assert sold is not None
        assert (sold.state, sold.exit_reason) == ("closed", "stop_loss")
        desk.books_are_equal()


async def test_news_that_came_meanwhile_are_kept_and_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        await desk.move("11")
        assert await desk.buy()
        with full_disk(desk, monkeypatch):
            await desk.price("10")
            assert desk.order().state == "working"
            for _ in range(5):
                await desk.update()
        await desk.update()
        assert (desk.order().state, desk.position().state) == ("filled", "open")
        desk.books_are_equal()


async def test_it_is_told_once_and_its_end_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    async with traded(tmp_path) as desk:
        await desk.price("10")
        sink = logger.add(lambda message: told.append(message.record["extra"]["event"]), level="WARNING")
        try:
            with full_disk(desk, monkeypatch):
                for _ in range(5):
                    await desk.buy()
                    desk.engine.state.save_progress(Progress(desk.clock.now_ms(), {"at_ms": 1}))
            desk.engine.state.save_progress(Progress(desk.clock.now_ms(), {"at_ms": 1}))
        finally:
            logger.remove(sink)
    assert told == ["commit_failed", "store_works_again"]
    assert desk.engine.state.store_fault == ""
