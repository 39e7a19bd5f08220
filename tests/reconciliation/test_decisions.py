"""What a person decides: it goes through the tables, is journaled with a name, and leaves the books equal."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.values import ZERO
from persistence import journal_queries
from persistence.verification import verify
from services.messages import OrderNews, OrderReport, OrderRequest
from services.reconciliation.decisions import CannotDecide, Decisions
from services.reconciliation.plan import Kind
from tests.reconciliation.accounts import (
    ADA,
    BTC,
    Desk,
    buy_by_hand,
    cancelled_unheard,
    foreign,
    lose_coins,
    open_deal,
    traded,
)
from tests.services.reports import cancelled, trade


def decisions(desk: Desk) -> Decisions:
    return Decisions(desk.engine.orchestrator, "Ada")


def notes(desk: Desk, subject_id: str) -> list[str]:
    return [row["note"] for row in journal_queries.entries(desk.path, subject_id) if row["note"]]


async def test_a_detached_position_ends_and_its_coins_count_as_sold_for_nothing(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        deal = await open_deal(desk)
        await lose_coins(desk)
        await desk.reconcile()
        await decisions(desk).detach(deal)
        ended = desk.store.find_position(deal)
        assert ended is not None
        assert (ended.state, ended.exit_reason, ended.quantity, ended.dust) == (
            "closed",
            "detached",
            ZERO,
            ZERO,
        )
        assert ended.realized_pnl == -ended.spent - ended.fee_quote
        assert notes(desk, deal)[-1] == "person Ada: detaches 10 ADA"
        assert {row.kind for row in (await desk.reconcile()).differences} == {Kind.QUOTE_DIFFERS}
        assert desk.permission() == "halted"
        await decisions(desk).resume(ADA)
        assert desk.permission() == "active"
        assert notes(desk, ADA)[-1].startswith("person Ada: resumes it after: holding_missing ADA")
        assert verify(desk.path).is_whole


async def test_a_detached_position_takes_only_what_fills_later(tmp_path: Path) -> None:
    """Late coins are ours again, those that are gone are not."""
    async with traded(tmp_path) as desk:
        entry = await cancelled_unheard(desk)
        first, late = trade("f1", entry, "4"), trade("f2", entry, "3")
        await tell(desk, cancelled(entry, first))
        deal = desk.position().id
        await decisions(desk).detach(deal)
        await tell(desk, cancelled(entry, first, late))
        again = desk.position()
        assert (again.id, again.bought, again.sold, again.quantity) == (
            deal,
            Decimal(7),
            Decimal(4),
            Decimal(3),
        )
        assert again.state == "closing", "what a person gave up leaves, whatever comes late"


async def tell(desk: Desk, report: OrderReport) -> None:
    desk.engine.state.deliver(OrderNews(report.client_order_id, ADA, report))
    await desk.update()


async def test_an_adopted_holding_is_a_position_that_leaves_like_any_other(tmp_path: Path) -> None:
    async with traded(tmp_path, take_profit=Decimal("0.1")) as desk:
        await desk.price("10")
        await desk.reconcile()
        await buy_by_hand(desk)
        surplus = {row.kind: row for row in (await desk.reconcile()).differences}[
            Kind.HOLDING_FOREIGN
        ].surplus
        assert surplus == 20
        deal = await decisions(desk).adopt_holding(ADA, surplus, Decimal(10))
        assert (desk.position().state, desk.position().entry_price) == ("open", Decimal(10))
        assert desk.engine.state.pair(ADA).state == "open"
        assert notes(desk, deal) == ["person Ada: adopts 20 ADA at 10"]
        assert {row.kind for row in (await desk.reconcile()).differences} == {Kind.QUOTE_DIFFERS}
        await desk.price("11.5")
        closed = desk.store.find_position(deal)
        assert closed is not None
        assert (closed.state, closed.exit_reason) == ("closed", "take_profit")
        balance = (await desk.exchange.fetch_balance())["ADA"]
        assert balance.total == 0
        (row,) = (await desk.reconcile()).differences
        assert row.kind is Kind.QUOTE_DIFFERS
        assert row.surplus == Decimal("-200.2"), "what the foreign purchase cost, and nothing else"
        await decisions(desk).adopt_balance("USDT", desk.reconciler.last_plan.still_quotes["USDT"])
        assert notes(desk, "engine") == ["person Ada: accepts -200.2000 USDT"]
        assert (await desk.reconcile()).differences == ()
        assert verify(desk.path).is_whole


async def test_a_holding_too_small_to_be_sold_is_not_adopted(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        with pytest.raises(CannotDecide, match="cannot be adopted: holding_is_sellable"):
            await decisions(desk).adopt_holding(ADA, Decimal("0.01"), Decimal(10))
        assert desk.engine.state.working.positions == {}
        assert desk.permission() == "active"
        assert desk.store.recent_orders(5) == []


async def test_an_adopted_order_is_looked_up_and_becomes_the_entry_of_a_position(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        await desk.reconcile()
        await desk.exchange.create_order(foreign())
        desk.hear(lost=True)
        (row,) = (await desk.reconcile()).differences
        assert row.report is not None
        deal = await decisions(desk).adopt_order(row.report)
        await desk.settle()
        assert (desk.order().state, desk.position().state) == ("working", "ordering")
        assert desk.engine.state.pair(ADA).state == "ordering"
        assert not await desk.buy(), "one entry of the pair is in flight"
        assert (await desk.reconcile()).differences == ()
        await desk.price("9")
        assert (desk.position().state, desk.position().quantity) == ("open", Decimal(20))
        assert desk.engine.state.pair(ADA).state == "open"
        assert notes(desk, deal)[0] == "person Ada: adopts order webui00000000001"
        desk.books_are_equal()


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (foreign(side="sell", price="20"), "sells what no position holds"),
        (foreign(price=None), "has no limit"),
    ],
)
async def test_an_order_that_no_position_could_own_is_refused(
    tmp_path: Path, order: OrderRequest, why: str
) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        report = replace((await desk.exchange.create_order(foreign())), request=order)
        with pytest.raises(CannotDecide, match=why):
            await decisions(desk).adopt_order(report)


async def test_an_order_is_not_adopted_while_an_entry_of_its_pair_is_in_flight(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        await desk.move("11")
        await desk.exchange.create_order(foreign())
        (listed,) = await desk.exchange.fetch_open_orders()
        assert await desk.buy()
        with pytest.raises(CannotDecide, match="is ordering: one entry of this pair is in flight"):
            await decisions(desk).adopt_order(listed)
        assert len(desk.engine.state.working.positions) == 1
        assert desk.permission() == "active"


async def test_a_closed_position_was_sold_for_a_person(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        deal = await open_deal(desk)
        await decisions(desk).close(deal)
        await desk.settle()
        ended = desk.store.find_position(deal)
        assert ended is not None
        assert (ended.state, ended.exit_reason) == ("closed", "force")
        assert "person Ada: closes it" in notes(desk, deal)
        desk.books_are_equal()
        with pytest.raises(CannotDecide, match="it has ended"):
            await decisions(desk).close(deal)
        with pytest.raises(CannotDecide, match="holds nothing"):
            await decisions(desk).detach(deal)


async def test_what_does_not_exist_or_is_not_stopped_cannot_be_decided(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        for attempt, why in (
            (decisions(desk).detach("dtest00zzz"), "there is no position"),
            (decisions(desk).resume("DOGE/USDT"), "no pair"),
            (decisions(desk).resume(BTC), "active already"),
            (decisions(desk).adopt_holding("DOGE/USDT", Decimal(1), Decimal(1)), "no pair of this engine"),
        ):
            with pytest.raises(CannotDecide, match=why):
                await attempt
