"""OrderExecutionService: intents become orders, orders reports, reports events; idempotent by client order id."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from fsm import order as machine
from fsm.commit import OutboxRow
from fsm.order import FILLED, PARTIALLY_FILLED, SUBMITTING, UNKNOWN
from fsm.records import Fill, OrderRecord
from fsm.values import MONEY, ZERO, Leg, Verdict
from services.deals.booking import book_on_order
from services.deals.deal_orders import DealOrders, is_awaited
from services.messages import CancelRefused, OrderNews, OrderRefused, OrderReport, OrderRequest, OrderStatus
from services.ports import OrderDesk
from services.state_management import StateManagementService
from services.turns.bindings import Bindings
from services.turns.turn import Effect, Happening, LookUp, Turn
from services.turns.turn_runner import note_anomaly

_ENDED = machine.ORDER.finals

_EVENT_OF_END = {
    OrderStatus.CANCELED: machine.ORDER_CANCELLED,
    OrderStatus.EXPIRED: machine.ORDER_EXPIRED,
    OrderStatus.REJECTED: machine.ORDER_REJECTED,
    OrderStatus.CLOSED: machine.ORDER_EXPIRED,
}
"""Of an order that ended short of its amount. `closed` is judged by what filled: the rest expired."""

_MAY_OVERTAKE_FILLS = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.CLOSED)
"""Such an end of an exit, told by a stream or by a cancel's answer, is believed when a look-up says the same: a rest
that had been sold after all would be sold again, and then from coins that are not ours."""


@dataclass(frozen=True, slots=True)
class OrderTimings:
    """How long an order may stay silent in each state before it is looked up, in ms."""

    acknowledgement_ms: int = 10_000
    check_in_ms: int = 30_000
    cancellation_ms: int = 10_000
    look_up_min_ms: int = 1_000
    look_up_max_ms: int = 60_000


class OrderExecutionService:
    """Sends orders and reads what comes back. It sends only what is committed, and believes only evidence."""

    def __init__(
        self,
        desk: OrderDesk,
        deals: DealOrders,
        state: StateManagementService,
        timings: OrderTimings | None = None,
    ) -> None:
        self.desk = desk
        self.deals = deals
        self.state = state
        self.timings = timings or OrderTimings()
        self._creating: set[str] = set()
        self._left_at_ms: dict[str, int] = {}
        """When a request of this process may have left at the latest; the order was decided before that."""
        self._lost: set[str] = set()
        """The orders of which nothing was learnt since it was told that their outcome is lost."""
        self.bindings = deals.bindings | Bindings(
            guards={
                "order": {
                    "absence_is_proved": self.absence_is_proved,
                    "nothing_has_filled": self.nothing_has_filled,
                    "cancel_is_wanted": self.cancel_is_wanted,
                }
            },
            effects={
                "order": {
                    "send_order": self.send_order,
                    "send_cancel": self.send_cancel,
                    "look_up_order": self.look_up_order,
                    "tell_fill": deals.tell_fill,
                    "tell_end": deals.tell_end,
                }
            },
            deadlines={
                "acknowledgement": lambda turn, _: turn.now_ms + self.timings.acknowledgement_ms,
                "check_in": lambda turn, _: turn.now_ms + self.timings.check_in_ms,
                "cancellation": lambda turn, _: turn.now_ms + self.timings.cancellation_ms,
                "next_look_up": self.next_look_up,
            },
        )

    async def perform(self, effect: Effect) -> OrderNews:
        """Sends one committed request and says what became known. Never raises but for its own cancellation."""
        try:
            if isinstance(effect, LookUp):
                return await self._look_up(effect)
            if effect.kind == "send_order":
                return await self._create(effect)
            return await self._cancel(effect)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # an allow-list: all else leaves the order unknown
            done = effect.id if isinstance(effect, OutboxRow) else ""
            self._tell_loss(effect, error)
            return OrderNews(
                effect.client_order_id, effect.symbol, None, machine.OUTCOME_LOST, repr(error), done
            )

    def _tell_loss(self, effect: Effect, error: Exception) -> None:
        """Once at warning when the outcome is lost; that it is asked for in vain is told at debug."""
        order = effect.client_order_id
        if isinstance(effect, LookUp) and order in self._lost:
            logger.bind(event="look_up_failed", order=order, error=repr(error)).debug("look_up_failed")
            return
        self._lost = {order, *(self._lost & self.state.working.orders.keys())}
        logger.bind(event="outcome_lost", order=order, error=repr(error)).warning("outcome_lost")

    async def _create(self, row: OutboxRow) -> OrderNews:
        order = self.state.working.orders.get(row.client_order_id)
        if order is None or order.state not in (SUBMITTING, UNKNOWN):
            return OrderNews(row.client_order_id, row.symbol, outbox_done=row.id)
        request = OrderRequest(
            order.client_order_id, order.symbol, order.side, order.type, order.amount, order.price
        )
        self._creating.add(row.client_order_id)
        try:
            report = await self.desk.create_order(request)
        except OrderRefused as refusal:
            rejected, why = machine.ORDER_REJECTED, str(refusal)
            return OrderNews(
                row.client_order_id, row.symbol, None, rejected, why, row.id, wait_ms=refusal.wait_ms
            )
        finally:
            self._creating.discard(row.client_order_id)
            self._note_departure(row.client_order_id)
        if report.exchange_order_id is None:
            reason = "the exchange answered without naming the order"
            return self._news(row, event=machine.OUTCOME_LOST, reason=reason)
        return self._news(row, report=report)

    def _note_departure(self, client_order_id: str) -> None:
        """Sends can be held for longer than the exchange's window: that window begins when the request has left."""
        if len(self._left_at_ms) > 2 * len(self.state.working.orders) + 100:
            living = self.state.working.orders
            self._left_at_ms = {name: at for name, at in self._left_at_ms.items() if name in living}
        self._left_at_ms[client_order_id] = self.state.clock.now_ms()

    async def _cancel(self, row: OutboxRow) -> OrderNews:
        try:
            report = await self.desk.cancel_order(row.client_order_id, row.symbol)
        except CancelRefused as refusal:
            return self._news(row, event=machine.CANCEL_REFUSED, reason=str(refusal))
        return self._news(row, report=report)

    def _news(
        self, row: OutboxRow, report: OrderReport | None = None, event: str = "", reason: str = ""
    ) -> OrderNews:
        return OrderNews(row.client_order_id, row.symbol, report, event, reason, row.id)

    async def _look_up(self, question: LookUp) -> OrderNews:
        asked_at_ms = self.state.clock.now_ms()
        report = await self.desk.fetch_order(question.client_order_id, question.symbol)
        self._lost.discard(question.client_order_id)
        if report is not None:
            return OrderNews(question.client_order_id, question.symbol, report, looked_up=True)
        return OrderNews(
            question.client_order_id,
            question.symbol,
            None,
            machine.ORDER_ABSENT,
            "not found",
            asked_at_ms=asked_at_ms,
        )

    def read_news(self, turn: Turn, news: OrderNews) -> bool:
        """Turns news into events of the order. False when the order is not ours: it is reported, never adopted."""
        if news.outbox_done:
            turn.outbox_done.append(news.outbox_done)
        if news.asked_at_ms is not None:
            turn.asked_at_ms = news.asked_at_ms
        turn.wait_ms = news.wait_ms
        order = turn.order(news.client_order_id)
        if order is None:
            return False
        if news.report is not None:
            self._read_report(turn, order, news.report, news.looked_up)
        elif news.event and not (news.event == machine.ENGINE_RESTARTED and order.state in _ENDED):
            lost = news.event == machine.OUTCOME_LOST and bool(news.outbox_done)
            died = news.event == machine.ENGINE_RESTARTED  # its request may have left just before
            sent_until_ms = turn.now_ms if lost or died else 0
            update = _because(news.reason, sent_until_ms)
            turn.raise_event("order", order.client_order_id, news.event, update)
        return True

    def _read_report(self, turn: Turn, order: OrderRecord, report: OrderReport, looked_up: bool) -> None:
        fresh = self._fresh_fills(turn, order, report)
        filled = order.filled
        for fill in fresh:
            filled = MONEY.add(filled, fill.amount)
        if report.filled > filled:
            if not looked_up:  # else its trades lag behind, and the order's deadline asks again
                turn.effects.append(LookUp(order.client_order_id, order.symbol))
            if report.status != OrderStatus.OPEN:
                return
        named = report.exchange_order_id or order.exchange_order_id

        def update(record: OrderRecord) -> None:
            record.exchange_order_id = named
            if report.reason:
                record.reason = report.reason
            book_on_order(record, fresh)

        turn.fills += fresh
        if fresh and filled > order.amount and order.state != FILLED:
            note = f"{filled:f} filled of {order.amount:f} ordered"
            note_anomaly(turn, order, machine.ORDER_FILLED, note)
        if filled >= order.amount:
            if fresh or order.state != FILLED:
                _raise(turn, order, machine.ORDER_FILLED, update, fresh)
            return
        moved = bool(fresh) or (filled > ZERO and order.state in (SUBMITTING, UNKNOWN))
        if moved:
            _raise(turn, order, machine.ORDER_PARTIALLY_FILLED, update, fresh)
        early = report.status in _MAY_OVERTAKE_FILLS and order.leg == Leg.EXIT and not looked_up
        if early and order.state not in _ENDED:
            turn.effects.append(LookUp(order.client_order_id, order.symbol))
            return
        if report.status == OrderStatus.OPEN:
            if not moved and not (filled > ZERO and order.state == PARTIALLY_FILLED):
                _raise(turn, order, machine.ORDER_ACCEPTED, update, [])
            return
        if order.state not in _ENDED:
            event = _EVENT_OF_END[report.status]
            _raise(turn, order, event, _because(report.reason) if moved else update, [])

    def _fresh_fills(self, turn: Turn, order: OrderRecord, report: OrderReport) -> list[Fill]:
        """The fills not booked before: each trade id counts once, however often it is reported."""
        fresh: dict[str, Fill] = {}
        for fill in report.fills:
            if fill.id in fresh:
                continue
            if self.state.fill_is_known(fill.symbol, fill.id):
                if not order.filled:
                    note = f"its trade {fill.id} is booked on another order"
                    note_anomaly(turn, order, machine.ORDER_PARTIALLY_FILLED, note)
                continue
            fresh[fill.id] = fill
        return list(fresh.values())

    def absence_is_proved(self, turn: Turn, order: OrderRecord) -> Verdict:
        left_at_ms = max(order.sent_at_ms, self._left_at_ms.get(order.client_order_id, 0))
        wait_ms = left_at_ms + self.desk.late_arrival_ms - turn.asked_at_ms
        flying = order.client_order_id in self._creating
        words = f"{max(wait_ms, 0)} ms of the window were left when it was asked for"
        words += ", and the request is still in flight" if flying else ""
        return Verdict("absence_is_proved", wait_ms < 0 and not flying, words)

    def nothing_has_filled(self, turn: Turn, order: OrderRecord) -> Verdict:
        return Verdict("nothing_has_filled", not order.filled, f"{order.filled:f} filled")

    def cancel_is_wanted(self, turn: Turn, order: OrderRecord) -> Verdict:
        """Asked for and never confirmed; or its position went on without it, as after an absence that was none."""
        awaited = is_awaited(turn.position(order.position_id), order)
        words = (
            f"asked for: {order.cancel_reason or 'never'}, its position {'waits' if awaited else 'went on'}"
        )
        return Verdict("cancel_is_wanted", bool(order.cancel_reason) or not awaited, words)

    def next_look_up(self, turn: Turn, order: OrderRecord) -> int:
        """The longer an order stays unknown the rarer it is asked for, within the timings' bounds."""
        pause_ms = (turn.now_ms - order.sent_at_ms) // 2
        return turn.now_ms + min(max(pause_ms, self.timings.look_up_min_ms), self.timings.look_up_max_ms)

    def send_order(self, turn: Turn, order: OrderRecord, _: Happening) -> None:
        turn.outbox.append(_row("send_order", turn, order))

    def send_cancel(self, turn: Turn, order: OrderRecord, _: Happening) -> None:
        turn.outbox.append(_row("send_cancel", turn, order))

    def look_up_order(self, turn: Turn, order: OrderRecord, _: Happening) -> None:
        turn.effects.append(LookUp(order.client_order_id, order.symbol))


def _row(kind: str, turn: Turn, order: OrderRecord) -> OutboxRow:
    identity = f"{order.client_order_id}:{kind}:{order.version}"
    return OutboxRow(identity, kind, order.client_order_id, order.symbol, turn.now_ms)


def _raise(
    turn: Turn, order: OrderRecord, event: str, update: Callable[[OrderRecord], None], fills: list[Fill]
) -> None:
    turn.queue.append(Happening("order", order.client_order_id, event, update, fills))


def _because(reason: str, sent_until_ms: int = 0) -> Callable[[OrderRecord], None]:
    """`sent_until_ms`: a request that was lost may have left as late as that, and arrive that much later."""

    def update(order: OrderRecord) -> None:
        if reason:
            order.reason = reason
        order.sent_at_ms = max(order.sent_at_ms, sent_until_ms)

    return update
