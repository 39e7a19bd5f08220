"""Each kind of difference, made by hand: the row it becomes, what applying it does, and the books afterwards."""

from decimal import Decimal
from pathlib import Path

from persistence.verification import verify
from services.deals.order_ids import order_id, position_id
from services.messages import OrderNews, OrderReport, OrderStatus
from services.reconciliation.plan import Kind, Settlement
from tests.reconciliation.accounts import (
    ADA,
    BTC,
    buy_by_hand,
    cancelled_unheard,
    foreign,
    lose_coins,
    only,
    open_deal,
    resting_entry,
    traded,
)


async def test_books_that_agree_have_no_rows(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await open_deal(desk)
        assert (await desk.reconcile()).differences == ()
        desk.books_are_equal()


async def test_an_order_that_was_cancelled_unheard_is_found_and_ended(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await cancelled_unheard(desk)
        row = only(await desk.reconciler.look(), Kind.ORDER_ENDED)
        assert (row.settlement, row.proposal) == (
            Settlement.CERTAIN,
            "order_cancelled: working -> cancelled",
        )
        assert row.believes == "working, 0 of 10 filled"
        assert row.says == "canceled, 0 filled"
        assert (await desk.reconcile()).differences == ()
        assert desk.order().state == "cancelled"
        assert desk.permission() == "active"
        desk.books_are_equal()


async def test_an_order_that_nobody_has_is_given_up_only_after_the_window(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        entry = await cancelled_unheard(desk)
        desk.exchange.hides = entry
        row = only(await desk.reconciler.look(), Kind.ORDER_MISSING)
        assert row.proposal == "order_absent: working -> unknown"
        await desk.reconcile()
        assert desk.order().state == "unknown"
        assert not await desk.buy()
        await desk.wait(61)
        assert desk.order().state == "rejected"
        assert desk.permission() == "active"
        desk.books_are_equal()


async def test_an_order_believed_dead_and_alive_is_cancelled_and_stops_its_pair_alone(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        await desk.move("11")
        desk.exchange.deaf = True
        assert await desk.buy()
        entry = desk.order().client_order_id
        desk.exchange.hides = entry
        desk.hear(lost=True)
        await desk.wait(61)
        assert desk.order().state == "rejected"
        desk.exchange.hides, desk.exchange.deaf = "", False
        row = only(await desk.reconciler.look(), Kind.ORDER_ALIVE)
        assert row.settlement is Settlement.CERTAIN
        await desk.reconcile()
        assert await desk.exchange.fetch_open_orders() == []
        assert desk.order().state == "rejected"
        assert (desk.permission(ADA), desk.permission(BTC)) == ("halted", "active")
        assert (await desk.reconcile()).differences == ()
        desk.books_are_equal()


async def test_what_an_order_believed_dead_bought_belongs_to_its_position(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        entry = await resting_entry(desk)
        await desk.reconcile()
        false = OrderReport(entry, ADA, "1", OrderStatus.CANCELED)
        desk.engine.state.deliver(OrderNews(entry, ADA, false))
        await desk.update()
        assert desk.order().state == "cancelled"
        await desk.move("10")
        desk.hear(lost=True)
        plan = await desk.reconciler.look()
        assert only(plan, Kind.FILL_MISSED).proposal == "order_filled: cancelled -> filled"
        assert plan.not_compared
        assert (await desk.reconcile()).differences == ()
        assert desk.position().state == "open"
        desk.books_are_equal()


async def test_a_fill_that_nobody_reported_is_booked(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await resting_entry(desk)
        await desk.reconcile()
        await desk.move("10")
        desk.hear(lost=True)
        row = only(await desk.reconciler.look(), Kind.FILL_MISSED)
        assert row.says == "closed, 10 filled"
        assert (await desk.reconcile()).differences == ()
        assert (desk.position().state, desk.position().quantity) == ("open", Decimal(10))
        desk.books_are_equal()


async def test_a_foreign_order_is_told_and_left_alone(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await open_deal(desk)
        await desk.exchange.create_order(foreign())
        desk.hear()
        await desk.update()
        row = only(await desk.reconcile(), Kind.ORDER_FOREIGN)
        assert (row.settlement, row.says) == (Settlement.REPORTED, "buy 20 at 9: open, 0 filled in ADA/USDT")
        assert desk.permission() == "active"
        assert len(await desk.exchange.fetch_open_orders()) == 1
        desk.books_are_equal()


async def test_an_order_of_ours_that_the_books_do_not_know_stops_its_pair(tmp_path: Path) -> None:
    """As after a start from an old copy of the database."""
    async with traded(tmp_path) as desk:
        await desk.price("10")
        lost = order_id(position_id("dtest", 99), "entry", 1)
        await desk.exchange.create_order(foreign(lost))
        desk.hear(lost=True)
        row = only(await desk.reconcile(), Kind.ORDER_UNBOOKED)
        assert row.settlement is Settlement.PERSON
        assert (desk.permission(ADA), desk.permission(BTC)) == ("halted", "active")
        assert f"order_unbooked {lost}" in desk.engine.state.permission(ADA).reason


async def test_a_foreign_holding_is_told_and_stops_nothing(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await open_deal(desk)
        await buy_by_hand(desk)
        rows = {row.kind: row for row in (await desk.reconcile()).differences}
        assert set(rows) == {Kind.HOLDING_FOREIGN, Kind.QUOTE_DIFFERS}
        assert rows[Kind.HOLDING_FOREIGN].surplus == 20
        assert all(row.settlement is Settlement.REPORTED for row in rows.values())
        assert desk.permission() == "active"
        assert desk.position().quantity == 10


async def test_coins_that_are_gone_stop_their_pair_alone_and_name_who_held_them(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        deal = await open_deal(desk)
        await lose_coins(desk, "4")
        rows = {row.kind: row for row in (await desk.reconcile()).differences}
        row = rows[Kind.HOLDING_MISSING]
        assert (row.believes, row.says) == ("10 ADA", "6 ADA")
        assert (row.evidence, row.remedy) == (f"held by {deal}", f"dirigent reconcile --detach {deal}")
        assert (desk.permission(ADA), desk.permission(BTC)) == ("halted", "active")
        assert desk.position().quantity == 10


async def test_what_has_not_been_answered_is_no_evidence(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await resting_entry(desk)
        await desk.reconcile()
        await desk.move("10")
        desk.hear(lost=True)
        desk.exchange.fails = True
        plan = await desk.reconcile()
        assert plan.differences == ()
        assert "nobody answers" in plan.not_compared[0]
        assert desk.order().state == "working"
        desk.exchange.fails = False
        await desk.reconcile()
        desk.books_are_equal()


async def test_a_difference_that_goes_away_by_itself_stops_nobody(tmp_path: Path) -> None:
    """The account says for a moment that the coins are not there."""
    async with traded(tmp_path) as desk:
        await open_deal(desk)
        told = await desk.exchange.fetch_balance()
        answers = [{**told, "ADA": type(told["ADA"])()}]
        honest = desk.exchange.fetch_balance

        async def fetch() -> dict[str, object]:
            return answers.pop() if answers else await honest()  # type: ignore[return-value]

        desk.exchange.fetch_balance = fetch  # type: ignore[method-assign,assignment]
        assert (await desk.reconcile()).differences == ()
        assert desk.permission() == "active"


async def test_the_comparison_survives_a_restart_with_its_baseline(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await open_deal(desk)
    async with traded(tmp_path) as desk:
        assert (await desk.reconcile()).differences == ()
        desk.books_are_equal()
    assert verify(tmp_path / "books.sqlite").is_whole


async def test_what_lies_within_the_tolerance_is_no_difference_and_a_digit_more_is(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await open_deal(desk)
        await buy_by_hand(desk)
        rows = {row.kind: row for row in (await desk.reconcile()).differences}
        coins, money = rows[Kind.HOLDING_FOREIGN].surplus, rows[Kind.QUOTE_DIFFERS].surplus
        assert coins is not None
        assert money is not None
        desk.reconciler.tolerances = {"ADA": abs(coins), "USDT": abs(money)}
        assert (await desk.reconcile()).differences == ()
        digit = Decimal("0.00000001")
        desk.reconciler.tolerances = {"ADA": abs(coins) - digit, "USDT": abs(money) - digit}
        again = {row.kind: row.surplus for row in (await desk.reconcile()).differences}
        assert again == {Kind.HOLDING_FOREIGN: coins, Kind.QUOTE_DIFFERS: money}, "told in full"


async def test_coins_gone_within_the_tolerance_stop_nobody(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await open_deal(desk)
        await lose_coins(desk, "4")
        desk.reconciler.tolerances = {"ADA": Decimal(4), "USDT": Decimal(1000)}
        assert (await desk.reconcile()).differences == ()
        assert desk.permission() == "active"


async def test_what_a_living_order_explains_is_not_asked_of_those_that_ended(tmp_path: Path) -> None:
    async with traded(tmp_path, max_deals=2) as desk:
        await open_deal(desk)
        ended = desk.order().client_order_id
        await desk.move("11")
        assert await desk.buy()
        desk.hear()
        await desk.update()
        (resting,) = desk.engine.state.working.orders
        await desk.move("10")
        desk.hear(lost=True)
        asked = desk.exchange.asked
        asked.clear()
        assert only(await desk.reconciler.look(), Kind.FILL_MISSED).subject == resting
        assert asked == [resting]
        await desk.reconcile()
        await buy_by_hand(desk)
        asked.clear()
        await desk.reconciler.look()
        assert ended in asked, "nothing else explains the coins"
