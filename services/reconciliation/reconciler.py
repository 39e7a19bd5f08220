"""The Reconciler asks the exchange, applies what is certain, and quarantines the pair of what is not."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from loguru import logger

from fsm.commit import StoreConflict, StoreError, former_tags
from fsm.order import UNKNOWN
from fsm.permission import ENGINE_SUBJECT, HALTED
from services.messages import OrderNews
from services.ports import Account as AccountPort
from services.ports import Books, OpenOrders, OrderDesk
from services.reconciliation.baselines import BASELINES, baselines_in, write_baselines
from services.reconciliation.comparison import compare, questions
from services.reconciliation.plan import Account, Beliefs, Difference, Plan, Settlement
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn

RECENT_ORDERS = 200
PAUSE_S = 1.0
"""Between the two looks that a difference has to outlast before a person is asked."""
_LOOKS_MAX = 3


class Exchange(OrderDesk, OpenOrders, AccountPort, Protocol):
    """What a reconciliation asks."""


class Reconciler:
    """Compares and settles, over one running engine. What needs a person is believed when it was seen twice."""

    def __init__(
        self,
        orchestrator: TradingOrchestrator,
        exchange: Exchange,
        books: Books,
        *,
        pause_s: float | None = None,
        unknown_escalates_s: float = 300,
        tolerances: Mapping[str, Decimal] | None = None,
    ) -> None:
        self.orchestrator = orchestrator
        self.exchange = exchange
        self.books = books
        self.pause_s = PAUSE_S if pause_s is None else pause_s
        self.unknown_escalates_s = unknown_escalates_s
        self.tolerances = tolerances or {}
        self.last_plan = Plan(())
        self.reconciled_at_ms = 0
        self._told: set[tuple[str, ...]] = set()
        self._is_wanted = asyncio.Event()

    def request(self) -> None:
        """Asks for a reconciliation soon, as after a stream of order reports was interrupted."""
        self._is_wanted.set()

    async def run(self, every_s: float) -> None:
        """Reconciles every `every_s` seconds and on request, until cancelled. A failed question ends only its round."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._is_wanted.wait()
            self._is_wanted.clear()
            await self.reconcile_if_answered()

    async def run_escalation(self) -> None:
        """Looks every second for orders that nobody knows of for too long, until cancelled."""
        while True:
            try:
                await self.escalate()
            except StoreConflict:
                raise
            except StoreError as error:
                logger.bind(event="not_escalated", error=str(error)).debug("not_escalated")
            await asyncio.sleep(1)

    async def reconcile_if_answered(self) -> None:
        """A reconciliation whose questions fail is no evidence of anything: it waits for its next time."""
        try:
            await self.reconcile()
        except StoreConflict:
            raise
        except Exception as error:  # a connector may raise anything, and this comparison is not the last
            logger.bind(event="not_reconciled", error=repr(error)).warning("not_reconciled")

    async def reconcile(self) -> Plan:
        """Looks, applies what is certain, looks again at what remains and settles that. Returns the last plan."""
        plan = await self.look()
        if plan.differences:
            await self.apply_news(plan)
            await asyncio.sleep(self.pause_s)
            again = await self.look()
            seen = {row.identity for row in plan.differences}
            plan = replace(again, differences=tuple(row for row in again.differences if row.identity in seen))
            self.last_plan = plan  # before it stops anything: people are told of both together
            await self.apply(plan)
        await self._keep_baselines(plan)
        self._tell(plan)
        self.last_plan, self.reconciled_at_ms = plan, self.orchestrator.state.clock.now_ms()
        return plan

    async def look(self) -> Plan:
        """One comparison. Asks again for what changed hands while it asked; raises QueryFailed without lists."""
        await self.orchestrator.update_open_positions()
        before = self._marks()
        asked_at_ms = self.orchestrator.state.clock.now_ms()
        open_orders, balances = await self.exchange.fetch_open_orders(), await self.exchange.fetch_balance()
        account = Account(open_orders, balances, asked_at_ms=asked_at_ms)
        beliefs = self._beliefs(account)
        for _ in range(_LOOKS_MAX):
            asked = questions(beliefs, account)
            if not asked:
                break
            account = await self._ask(account, asked)
        moved = {symbol for symbol, mark in self._marks().items() if before.get(symbol) != mark}
        return compare(replace(beliefs, moving=moved), account)

    async def _ask(self, account: Account, asked: list[tuple[str, str]]) -> Account:
        answers, silent = dict(account.answers), dict(account.silent)
        for name, symbol in asked:
            try:
                answers[name] = await self.exchange.fetch_order(name, symbol)
            except Exception as error:  # whatever a connector raises, it is no answer, and no reason to end
                silent[name] = str(error) or repr(error)
        return replace(account, answers=answers, silent=silent)

    def _beliefs(self, account: Account) -> Beliefs:
        state = self.orchestrator.state
        live = dict(state.working.orders)
        recent = self.books.recent_orders(RECENT_ORDERS)
        ended = {order.client_order_id: order for order in recent if order.symbol in state.working.pairs}
        for name in account.open_by_id.keys() - live.keys() - ended.keys():
            order = self.books.find_order(name)
            if order is not None and order.symbol in state.working.pairs:
                ended[name] = order
        return Beliefs(
            tag=state.tag,
            symbols=tuple(state.working.pairs),
            live=live,
            ended=ended,
            positions=list(state.working.positions.values()),
            totals=self.books.totals(),
            baselines=baselines_in(state.facts),
            tolerances=self.tolerances,
            former_tags=former_tags(state.facts),
        )

    def _marks(self) -> dict[str, set[tuple[str, int]]]:
        """By symbol the versions of what lives: when they differ, something happened in between."""
        working = self.orchestrator.state.working
        marks: dict[str, set[tuple[str, int]]] = {symbol: set() for symbol in working.pairs}
        for order in working.orders.values():
            marks.setdefault(order.symbol, set()).add((order.client_order_id, order.version))
        for position in working.positions.values():
            marks.setdefault(position.symbol, set()).add((position.id, position.version))
        return marks

    async def apply_news(self, plan: Plan) -> None:
        """What the exchange said of single orders goes the way of all order news; booked twice it changes nothing."""
        state = self.orchestrator.state
        for row in plan.settled_by(Settlement.CERTAIN):
            if row.report is not None:
                news = OrderNews(row.subject, row.report.symbol, row.report, looked_up=True)
                state.deliver(news)
            elif row.event:
                absence = OrderNews(
                    row.subject, row.symbols[0], None, row.event, row.evidence, asked_at_ms=plan.asked_at_ms
                )
                state.deliver(absence)
        await self.orchestrator.update_open_positions()

    async def apply(self, plan: Plan) -> None:
        """Settles what can be settled, and takes the permission to enter from each pair of what cannot."""
        await self.apply_news(plan)
        for row in plan.settled_by(Settlement.CERTAIN):
            if row.report is not None and row.event:
                await self.orchestrator.apply(
                    "order", row.subject, row.event, note=f"reconciliation: {row.evidence}"
                )
        for row in plan.settled_by(Settlement.PERSON):
            for symbol in row.symbols:
                await self._quarantine(symbol, reason_of(row))

    async def escalate(self) -> None:
        """Quarantines the pair of each order that has been unknown for too long. It stays unknown: nobody guesses."""
        state = self.orchestrator.state
        limit_ms = int(self.unknown_escalates_s * 1000)
        for order in list(state.working.orders.values()):
            if order.state != UNKNOWN or state.permission(order.symbol).state == HALTED:
                continue
            since_ms = self.books.unknown_since_ms(order.client_order_id)
            if since_ms is None or state.clock.now_ms() - since_ms < limit_ms:
                continue
            waited_s = (state.clock.now_ms() - since_ms) // 1000
            reason = (
                f"order {order.client_order_id} is unknown for {waited_s} s ({order.reason or 'no answer'})"
            )
            await self._quarantine(order.symbol, f"{reason}; see dirigent reconcile --plan")

    async def _quarantine(self, symbol: str, reason: str) -> None:
        state = self.orchestrator.state
        if symbol not in state.working.pairs or state.permission(symbol).state == HALTED:
            return
        logger.bind(event="quarantined", symbol=symbol, reason=reason).warning("quarantined")
        await self.orchestrator.quarantine(symbol, reason)

    async def _keep_baselines(self, plan: Plan) -> None:
        """The first time a currency stands still, what it holds beyond the positions' earnings is remembered."""
        known = baselines_in(self.orchestrator.state.facts)
        fresh = {quote: surplus for quote, surplus in plan.still_quotes.items() if quote not in known}
        if fresh:
            facts = {BASELINES: write_baselines({**known, **fresh})}

            def work(turn: Turn) -> None:
                turn.facts.update(facts)

            await self.orchestrator.transact(ENGINE_SUBJECT, work)

    def _tell(self, plan: Plan) -> None:
        """Each difference is logged once, for as long as it stays the same."""
        now = {row.identity for row in plan.differences}
        for row in plan.differences:
            if row.identity not in self._told:
                logger.bind(
                    event="difference",
                    kind=row.kind,
                    subject=row.subject,
                    believes=row.believes,
                    says=row.says,
                    proposal=row.proposal,
                    settlement=row.settlement,
                ).warning("difference")
        self._told = now


def reason_of(row: Difference) -> str:
    """Why a pair is quarantined: the row of the plan, and how to go on."""
    words = f"{row.kind} {row.subject}: believed {row.believes}, the exchange says {row.says}"
    return f"{words}; see dirigent reconcile --plan"
