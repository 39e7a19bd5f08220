"""An order that stays unknown is brought before a person, with its pair stopped and nothing guessed."""

from decimal import Decimal
from pathlib import Path

import pytest
from loguru import logger

from persistence import queries
from tests.reconciliation.accounts import ADA, BTC, Desk, FlakyExchange, open_deal, traded


async def unknown_entry(desk: Desk, symbol: str) -> str:
    """An entry whose request was lost, while no question is answered."""
    await desk.price("50000" if symbol == BTC else "10", symbol)
    desk.exchange.refuses = desk.exchange.fails = True
    assert await desk.buy(symbol)
    desk.exchange.refuses = False
    (order,) = [o for o in desk.engine.state.working.orders.values() if o.symbol == symbol]
    assert order.state == "unknown"
    return order.client_order_id


async def test_an_order_unknown_for_too_long_stops_its_pair_and_stays_unknown(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        entry = await unknown_entry(desk, BTC)
        for _ in range(4):
            await desk.wait(60)
            await desk.reconciler.escalate()
        assert desk.permission(BTC) == "active"
        await desk.wait(60)
        await desk.reconciler.escalate()
        assert (desk.permission(BTC), desk.permission(ADA)) == ("halted", "active")
        assert desk.store.unknown_since_ms(entry) is not None
        (pair,) = [row for row in queries.pairs(desk.path) if row["symbol"] == BTC]
        assert f"order {entry} is unknown for 300 s" in pair["reason"]
        assert "dirigent reconcile --plan" in queries.status(desk.path)["stopped"][BTC]
        desk.exchange.fails = False
        await desk.wait(61)
        assert desk.store.unknown_since_ms(entry) is None
        assert desk.permission(BTC) == "halted", "a person gives it back"
        desk.books_are_equal()


async def test_a_restart_does_not_begin_the_wait_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traded(tmp_path) as desk:
        entry = await unknown_entry(desk, BTC)
        since_ms = desk.store.unknown_since_ms(entry)
    assert since_ms is not None
    monkeypatch.setattr(FlakyExchange, "fails", True)
    async with traded(tmp_path) as desk:
        await desk.wait(600)
        assert desk.store.unknown_since_ms(entry) == since_ms


async def test_protective_exits_go_on_while_an_order_of_the_pair_is_unknown(tmp_path: Path) -> None:
    async with traded(tmp_path, stop_loss=Decimal("0.05"), max_deals=3) as desk:
        deal = await open_deal(desk)
        entry = await unknown_entry(desk, ADA)
        await desk.wait(301)
        await desk.reconciler.escalate()
        assert desk.permission(ADA) == "halted"
        assert not await desk.buy()
        await desk.price("9")
        sold = desk.store.find_position(deal)
        assert sold is not None
        assert (sold.state, sold.exit_reason) == ("closed", "stop_loss")
        assert desk.engine.state.working.orders[entry].state == "unknown"


async def test_a_plan_row_tells_of_an_order_that_nobody_answers_for(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        entry = await unknown_entry(desk, BTC)
        (row,) = (await desk.reconciler.look()).differences
        assert (row.kind, row.subject, row.says) == ("order_unknown", entry, "no answer")


async def test_a_difference_is_logged_once_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    told: list[str] = []
    async with traded(tmp_path) as desk:
        await unknown_entry(desk, BTC)
        sink = logger.add(lambda message: told.append(message.record["extra"]["event"]), level="WARNING")
        try:
            for _ in range(3):
                await desk.reconcile()
        finally:
            logger.remove(sink)
    assert told.count("difference") == 1
