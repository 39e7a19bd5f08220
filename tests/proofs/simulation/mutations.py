"""Engines that are wrong on purpose: each breaks one promise of the order protocol."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from fsm import order as order_machine
from fsm import position as position_machine
from fsm.commit import CommitBatch, StoreError
from fsm.records import Fill, OrderRecord
from fsm.values import Leg, Verdict
from services import order_execution
from services.deals import deal_orders
from services.deals.deal_orders import DealOrders
from services.messages import OrderNews, OrderReport
from services.order_execution import OrderExecutionService
from services.state_management import StateManagementService
from services.turns.turn import Effect, Happening, LookUp, Turn

Mutation = Callable[[pytest.MonkeyPatch], None]


class _Later:
    """A store that is told to write when the request has already left."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def commit(self, batch: CommitBatch) -> None:
        def write() -> None:
            with suppress(StoreError):
                self._store.commit(batch)

        asyncio.get_running_loop().call_later(0.2, write)


def sends_before_it_commits(patch: pytest.MonkeyPatch) -> None:
    honest = StateManagementService._commit

    def hasty(self: StateManagementService, decided: Any) -> None:
        store, self.store = self.store, _Later(self.store)  # type: ignore[assignment]
        try:
            honest(self, decided)
        finally:
            self.store = store

    patch.setattr(StateManagementService, "_commit", hasty)


def sends_before_it_is_on_disk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CommitBatch, "must_be_on_disk", property(lambda _: False))


def takes_a_time_out_for_a_refusal(patch: pytest.MonkeyPatch) -> None:
    honest = OrderExecutionService.perform

    async def credulous(self: OrderExecutionService, effect: Effect) -> OrderNews:
        news = await honest(self, effect)
        if news.event == order_machine.OUTCOME_LOST and not isinstance(effect, LookUp):
            return replace(news, event=order_machine.ORDER_REJECTED)
        return news

    patch.setattr(OrderExecutionService, "perform", credulous)


def books_a_trade_as_often_as_it_is_told(patch: pytest.MonkeyPatch) -> None:
    def all_of_them(
        self: OrderExecutionService, turn: Turn, order: OrderRecord, report: OrderReport
    ) -> list[Fill]:
        return list(report.fills)

    patch.setattr(OrderExecutionService, "_fresh_fills", all_of_them)


def believes_an_absence_at_once(patch: pytest.MonkeyPatch) -> None:
    def believe(self: OrderExecutionService, turn: Turn, order: OrderRecord) -> Verdict:
        return Verdict("absence_is_proved", True, "not found")

    patch.setattr(OrderExecutionService, "absence_is_proved", believe)


def dates_an_absence_by_when_it_is_read(patch: pytest.MonkeyPatch) -> None:
    honest = OrderExecutionService._look_up

    async def undated(self: OrderExecutionService, question: LookUp) -> OrderNews:
        return replace(await honest(self, question), asked_at_ms=None)

    patch.setattr(OrderExecutionService, "_look_up", undated)


def forgets_fills_that_come_with_a_late_end(patch: pytest.MonkeyPatch) -> None:
    def tell_end(self: DealOrders, turn: Turn, order: OrderRecord, happening: Happening) -> None:
        entry = order.leg == Leg.ENTRY
        event = position_machine.ENTRY_ENDED if entry else position_machine.EXIT_ENDED
        deal_orders._tell(turn, order, event, happening)

    patch.setattr(DealOrders, "tell_end", tell_end)


def leaves_late_fills_to_the_power(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CommitBatch, "must_be_on_disk", property(lambda batch: bool(batch.outbox)))


def believes_that_a_cancel_not_found_is_a_cancel(patch: pytest.MonkeyPatch) -> None:
    honest = OrderExecutionService.perform

    async def credulous(self: OrderExecutionService, effect: Effect) -> OrderNews:
        news = await honest(self, effect)
        if news.event == order_machine.CANCEL_REFUSED:
            return replace(news, event=order_machine.ORDER_CANCELLED)
        return news

    patch.setattr(OrderExecutionService, "perform", credulous)


def sends_again_what_was_not_answered(patch: pytest.MonkeyPatch) -> None:
    honest = OrderExecutionService._create

    async def again(self: OrderExecutionService, row: Any) -> OrderNews:
        try:
            return await honest(self, row)
        except Exception:
            return await honest(self, row)

    patch.setattr(OrderExecutionService, "_create", again)


def believes_every_end_of_an_exit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(order_execution, "_MAY_OVERTAKE_FILLS", ())


MUTATIONS: dict[Mutation, dict[str, float]] = {
    sends_before_it_commits: {},
    sends_before_it_is_on_disk: {},
    takes_a_time_out_for_a_refusal: {},
    books_a_trade_as_often_as_it_is_told: {},
    believes_an_absence_at_once: {},
    dates_an_absence_by_when_it_is_read: {"executed_late": 0.5, "slow_answer": 0.5},
    forgets_fills_that_come_with_a_late_end: {"executed_after_the_window": 0.5},
    leaves_late_fills_to_the_power: {"end_understated": 0.7, "death_at_any_await": 0.003, "power_lost": 1.0},
    believes_that_a_cancel_not_found_is_a_cancel: {},
    sends_again_what_was_not_answered: {},
    believes_every_end_of_an_exit: {"end_told_early": 0.5},
}
"""Each with the faults that are made likelier for it: what only a rare coincidence shows."""
