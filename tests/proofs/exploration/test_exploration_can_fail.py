"""Engines broken on purpose: each breaks a claim, and the way there can be played again."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dirigent.proofs.exploration import search
from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.scenarios import ScenarioError, play, read, scenario_of
from fsm.order import ENGINE_RESTARTED, ORDER, ORDER_REJECTED, OUTCOME_LOST
from fsm.position import ENTRY_ENDED
from fsm.values import Verdict
from services import order_execution
from services.deals import booking, deal_orders
from services.deals.deal_orders import DealOrders
from services.deals.order_ids import order_id
from services.messages import OrderNews
from services.order_execution import OrderExecutionService
from services.state_management import StateManagementService

Patch = pytest.MonkeyPatch
WORLDS_MAX = 20_000


def send_before_commit(patch: Patch) -> None:
    merge = StateManagementService._merge

    def eager(self: Any, turn: Any) -> None:
        for row in turn.outbox:
            asyncio.get_running_loop().create_task(row)
        merge(self, turn)

    patch.setattr(StateManagementService, "_merge", eager)


def forget_which_trades_are_booked(patch: Patch) -> None:
    patch.setattr(StateManagementService, "fill_is_known", lambda *_: False)


def take_a_time_out_for_a_reject(patch: Patch) -> None:
    perform = OrderExecutionService.perform

    async def hasty(self: Any, effect: Any) -> OrderNews:
        news = await perform(self, effect)
        if news.event != OUTCOME_LOST:
            return news
        return OrderNews(news.client_order_id, news.symbol, None, ORDER_REJECTED)

    patch.setattr(OrderExecutionService, "perform", hasty)


def ignore_what_fills_after_the_end(patch: Patch) -> None:
    read_report = OrderExecutionService._read_report

    def deaf(self: Any, turn: Any, order: Any, *rest: Any) -> None:
        if order.state not in ORDER.finals:
            read_report(self, turn, order, *rest)

    patch.setattr(OrderExecutionService, "_read_report", deaf)


def believe_an_absence_at_once(patch: Patch) -> None:
    patch.setattr(
        OrderExecutionService, "absence_is_proved", lambda *_: Verdict("absence_is_proved", True, "surely")
    )


def date_an_absence_by_its_answer(patch: Patch) -> None:
    proved = OrderExecutionService.absence_is_proved

    def late(self: Any, turn: Any, order: Any) -> Verdict:
        turn.asked_at_ms = turn.now_ms
        return proved(self, turn, order)

    patch.setattr(OrderExecutionService, "absence_is_proved", late)


def forget_when_a_request_left(patch: Patch) -> None:
    proved = OrderExecutionService.absence_is_proved

    def forgetful(self: Any, turn: Any, order: Any) -> Verdict:
        self._left_at_ms.clear()
        return proved(self, turn, order)

    patch.setattr(OrderExecutionService, "absence_is_proved", forgetful)


def forget_that_a_request_may_have_left_before_the_death(patch: Patch) -> None:
    read_news = OrderExecutionService.read_news

    def careless(self: Any, turn: Any, news: OrderNews) -> bool:
        order = turn.order(news.client_order_id)
        if news.event != ENGINE_RESTARTED or order is None or order.state in ORDER.finals:
            return read_news(self, turn, news)
        turn.raise_event("order", order.client_order_id, ENGINE_RESTARTED)
        return True

    patch.setattr(OrderExecutionService, "read_news", careless)


def use_an_id_again(patch: Patch) -> None:
    patch.setattr(deal_orders, "order_id", lambda position, leg, attempt: order_id(position, leg, 1))


def replace_an_entry_before_its_end(patch: Patch) -> None:
    cancel = DealOrders.cancel_entry

    def impatient(self: Any, turn: Any, position: Any, happening: Any) -> None:
        cancel(self, turn, position, happening)
        turn.raise_event("position", position.id, ENTRY_ENDED)

    def always(self: Any, turn: Any, position: Any) -> Verdict:
        return Verdict("entry_may_be_replaced", position.entry_attempt < 2, "at once")

    patch.setattr(DealOrders, "cancel_entry", impatient)
    patch.setattr(DealOrders, "entry_may_be_replaced", always)


def lower_what_filled(patch: Patch) -> None:
    book = booking.book_on_order

    def overwrite(order: Any, fills: Any) -> None:
        order.filled = order.filled * 0
        order.cost = order.cost * 0
        book(order, fills)

    patch.setattr(order_execution, "book_on_order", overwrite)


@pytest.mark.parametrize(
    ("mutate", "units", "claim"),
    [
        (send_before_commit, 1, "started before its commit"),
        (forget_which_trades_are_booked, 1, "filled"),
        (take_a_time_out_for_a_reject, 1, "believed rejected while it lives"),
        (ignore_what_fills_after_the_end, 2, "no flat state can be reached"),
        (believe_an_absence_at_once, 1, "believed rejected while it lives"),
        (date_an_absence_by_its_answer, 1, "believed rejected while it lives"),
        (forget_when_a_request_left, 1, "believed rejected while it lives"),
        (forget_that_a_request_may_have_left_before_the_death, 1, "believed rejected while it lives"),
        (use_an_id_again, 1, ""),
        (replace_an_entry_before_its_end, 1, "two entry orders"),
        (lower_what_filled, 2, "filled"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_engine_breaks_a_claim_and_the_way_there_is_played_again(
    mutate: Callable[[Patch], None], units: int, claim: str, tmp_path: Path
) -> None:
    path = tmp_path / "breach.json"
    with pytest.MonkeyPatch.context() as patch:
        mutate(patch)
        trap = "flat" in claim
        bounds = Bounds(intents=1, crashes=0 if trap else 1, amount=units, attempts=1 if trap else 2)
        findings = search.explore(bounds, None if trap else WORLDS_MAX)
        assert findings.breach is not None
        assert claim in findings.breach.claim
        scenario_of(findings).write(path)
        steps = list(play(read(path)))
        assert [step.step for step in steps] == list(findings.breach.labels)
        assert trap or steps[-1].breach == findings.breach.claim
    if not trap:
        _cannot_happen_to_the_engine_as_it_is(path)


def _cannot_happen_to_the_engine_as_it_is(path: Path) -> None:
    try:
        steps = list(play(read(path)))
    except ScenarioError:
        return
    assert not any(step.breach for step in steps)
