"""TradingOrchestrator: stateless; ticks become events, events moves, moves effects."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any

from loguru import logger

from fsm.commit import StoreConflict, StoreError
from fsm.engine import Step
from fsm.pair import BUY_SIGNALLED, ENTRY_CONSIDERED, SELL_SIGNALLED, SIGNALLED
from fsm.permission import ENGINE_SUBJECT
from fsm.records import PairRecord
from fsm.table import DEADLINE_PASSED
from fsm.values import Side, Verdict
from services.daily_loss import watch_daily_loss
from services.deals.exit_levels import Watch
from services.deals.leaving import leave_at_price, leave_on_sell_signal
from services.deals.pair_coordination import PairCoordination, accept_signal, remember_signal
from services.drawdown import watch_drawdown
from services.market_data_analyzer import MarketDataAnalyzer
from services.messages import BadTick, OrderNews, Signal, Tick
from services.order_execution import OrderExecutionService
from services.risk_management import RiskManagementService
from services.signal_aggregation import SignalAggregationService, StrategyFailed
from services.state_management import StateManagementService
from services.strategy_failures import answer_failure
from services.turns.bindings import Bindings, bind
from services.turns.turn import Effect, Turn, Update, Work
from services.turns.turn_runner import TurnRunner, quarantine, rearm_deadline


@dataclass(slots=True)
class Decision:
    """What became of an offered signal, and why."""

    taken: bool = False
    because: str = ""


class TradingOrchestrator:
    """Coordinates the five services. It keeps nothing: two instances over the same services are interchangeable."""

    def __init__(
        self,
        signal_aggregator: SignalAggregationService,
        order_executor: OrderExecutionService,
        risk_manager: RiskManagementService,
        market_analyzer: MarketDataAnalyzer,
        state_manager: StateManagementService,
    ) -> None:
        self.signals = signal_aggregator
        self.orders = order_executor
        self.risk = risk_manager
        self.market = market_analyzer
        self.state = state_manager
        pairs = PairCoordination(risk_manager.rules, signal_aggregator, market_analyzer, state_manager)
        self._machines = bind(self._bindings() | pairs.bindings | order_executor.bindings)
        self._runner = TurnRunner(self._machines)

    def _bindings(self) -> Bindings:
        rearm = {"rearm_deadline": lambda *given: rearm_deadline(self._machines, *given)}
        return Bindings(
            guards={
                "pair": {
                    "signal_is_new": self._signal_is_new,
                    "signal_is_fresh": self._signal_is_fresh,
                    "cooldown_is_over": self.risk.cooldown_is_over,
                    "price_is_fresh": self.risk.price_is_fresh,
                    "risk_allows_entry": self.risk.risk_allows_entry,
                }
            },
            effects={"position": rearm, "order": rearm},
        )

    def _signal_is_new(self, turn: Turn, _: PairRecord) -> Verdict:
        assert turn.signal is not None
        return self.signals.signal_is_new(turn.signal)

    def _signal_is_fresh(self, turn: Turn, _: PairRecord) -> Verdict:
        assert turn.signal is not None
        return self.signals.signal_is_fresh(turn.signal, turn.now_ms)

    async def process_market_tick(self, ticker_data: Mapping[str, Any]) -> None:
        """Takes one ccxt ticker structure; returns once what it decided is committed.

        A tick that cannot be used is counted, logged and changes nothing. Waits for no network: orders leave beside it.
        Raises StoreConflict when another process has taken the database over.
        """
        started_ns = perf_counter_ns()
        try:
            tick = self.market.observe(ticker_data)
        except BadTick as refusal:
            self._refuse_tick(refusal)
            return
        working = self.state.working
        hits = working.touched(tick)
        if hits:
            await self.transact(tick.symbol, partial(self._answer_price, tick, hits), urgent=True)
        try:
            signal = self.signals.evaluate(tick) if tick.is_sample else None
        except StrategyFailed as failure:
            signal = await answer_failure(self, failure, tick)
        if signal is not None:
            await self._offer(signal)
        elif working.pairs[tick.symbol].state == SIGNALLED:
            await self.transact(tick.symbol, partial(self._reconsider, tick.symbol))
        metrics = self.state.metrics
        metrics.ticks += 1
        metrics.tick_latency.record(perf_counter_ns() - started_ns)

    async def handle_buy_signal(self, signal_data: Mapping[str, Any]) -> Decision:
        """Offers an entry: id, symbol, strength, reason, at, expires_at. A repeated id changes nothing.

        Returns whether the pair took the signal and why or why not. Raises BadSignal when the data cannot be used.
        """
        return await self._offer(self.signals.parse(signal_data, Side.BUY))

    async def handle_sell_signal(self, signal_data: Mapping[str, Any]) -> Decision:
        """Closes the open positions of the symbol whose rules listen to sell signals; fields as for a buy signal."""
        return await self._offer(self.signals.parse(signal_data, Side.SELL))

    async def update_open_positions(self) -> None:
        """Applies the order news that arrived, then the deadlines that are due; called every second and on news.

        News go first: what is known to have happened beats a wait that has run out meanwhile. What cannot be
        committed is kept for the next call.
        """
        now_ms = self.state.clock.now_ms()
        working = self.state.working
        answers = [
            (item, self._post(item.symbol, partial(self._read_news, item), urgent=True))
            for item in self.state.take_news()
        ]
        pending = [
            (item, self._post(self._symbol_of(*item), partial(self._pass_deadline, *item), urgent=True))
            for item in (() if self.state.deadlines_are_held else working.take_due(now_ms))
        ]
        for item, future in answers:
            if not await self._finish(item.symbol, future) and isinstance(future.exception(), StoreError):
                self.state.give_back_news(item)
        for (machine, subject_id), future in pending:
            await self._finish(self._symbol_of(machine, subject_id), future)
            working.give_back(machine, subject_id, now_ms)
        # At a start money and holdings are not yet told of one moment.
        if not (self.state.deadlines_are_held or self.state.sends_are_held):
            if now_ms >= self.state.day_ends_ms or self.risk.limits.max_daily_loss is not None:
                await watch_daily_loss(self, now_ms)
            if self.risk.limits.max_drawdown is not None:
                await watch_drawdown(self)

    async def apply(
        self, machine: str, subject_id: str, event: str, update: Update | None = None, note: str = ""
    ) -> bool:
        """Raises one event from outside (a person, a configuration) on one subject; False when it was not committed.

        The note goes into the journal.
        """

        def work(turn: Turn) -> None:
            turn.raise_event(machine, subject_id, event, update, note)
            self._runner.run(turn)

        return await self.transact(self._symbol_of(machine, subject_id), work, urgent=True)

    async def _offer(self, signal: Signal) -> Decision:
        decision = Decision()
        work = self._consider_buy if signal.side == Side.BUY else self._answer_sell
        leaves = signal.side == Side.SELL
        if not await self.transact(signal.symbol, partial(work, signal, decision), urgent=leaves):
            decision.taken, decision.because = False, self.state.store_fault or "the turn failed"
        return decision

    def consider(self, signal: Signal, turn: Turn) -> Decision:
        """Offers an entry within a turn of the caller's, which is committed with whatever else it holds."""
        decision = Decision()
        self._consider_buy(signal, decision, turn)
        return decision

    def _consider_buy(self, signal: Signal, decision: Decision, turn: Turn) -> None:
        turn.signal = signal
        turn.raise_event("pair", signal.symbol, BUY_SIGNALLED, accept_signal(signal))
        steps = self._runner.run(turn)
        refused = next((step for step in steps if step.table.name == "pair" and step.refusals), None)
        decision.taken = steps[0].row is not None and (refused is None or not refused.row)
        decision.because = steps[0].because or (refused.refusals if refused else signal.reason)
        self.state.metrics.refusals += not decision.taken
        if refused or not decision.taken:
            self.state.refusals.note_steps(signal.symbol, steps, turn.now_ms)
        if steps[0].row or self.signals.signal_is_new(signal).holds:
            remember_signal(turn, signal, "taken" if decision.taken else decision.because)

    def _answer_sell(self, signal: Signal, decision: Decision, turn: Turn) -> None:
        turn.signal = signal
        fresh = (self.signals.signal_is_new(signal), self.signals.signal_is_fresh(signal, turn.now_ms))
        refused = [verdict for verdict in fresh if not verdict.holds]
        if refused:
            decision.because = "; ".join(f"{verdict.guard}: {verdict.because}" for verdict in refused)
            return
        turn.raise_event("pair", signal.symbol, SELL_SIGNALLED)
        leaving = leave_on_sell_signal(turn, signal.symbol)
        steps = self._runner.run(turn)
        decision.taken = any(step.row for step in steps)
        decision.because = f"{leaving} positions leave" if leaving else "no position listens"
        remember_signal(turn, signal, decision.because)

    def _answer_price(self, tick: Tick, hits: list[Watch], turn: Turn) -> None:
        leave_at_price(turn, tick.last, hits)
        self._runner.run(turn)

    def _reconsider(self, symbol: str, turn: Turn) -> None:
        """Unless the signal was settled since the price came, or has expired and its deadline not yet passed."""
        pair = turn.pair(symbol)
        if pair.state == SIGNALLED:
            expired = pair.due_at_ms is not None and pair.due_at_ms <= turn.now_ms
            turn.raise_event("pair", symbol, DEADLINE_PASSED if expired else ENTRY_CONSIDERED)
            self.state.refusals.note_steps(symbol, self._runner.run(turn), turn.now_ms)

    def _pass_deadline(self, machine: str, subject_id: str, turn: Turn) -> None:
        """Unless what happened since the deadline was found due has settled it."""
        subject = turn.subject(machine, subject_id)
        if subject is not None and subject.due_at_ms is not None and subject.due_at_ms <= turn.now_ms:
            turn.raise_event(machine, subject_id, DEADLINE_PASSED)
            self._runner.run(turn)

    def _read_news(self, news: OrderNews, turn: Turn) -> None:
        if not self.orders.read_news(turn, news):
            logger.bind(event="foreign_order", order=news.client_order_id, symbol=news.symbol).warning(
                "foreign_order"
            )
        self._runner.run(turn)

    def run(self, turn: Turn) -> list[Step]:
        """Carries out the events that a turn's work has raised so far."""
        return self._runner.run(turn)

    async def transact(self, symbol: str, work: Work, *, urgent: bool = False) -> bool:
        """Runs one turn in the pair's order and commits it; False when nothing of it has happened."""
        return await self._finish(symbol, self._post(symbol, work, urgent=urgent))

    def _post(self, symbol: str, work: Work, *, urgent: bool = False) -> asyncio.Future[list[Effect]]:
        return self.state.transact(symbol, work, self._carry_out, urgent=urgent)

    async def _finish(self, symbol: str, future: asyncio.Future[list[Effect]]) -> bool:
        """Awaits a turn's commit. False when nothing of the turn has happened."""
        try:
            await future
        except StoreConflict:
            raise
        except StoreError as error:
            self._note_fault(symbol, error)
            return False
        except Exception as error:  # a fault in one pair's turn quarantines that pair and reaches no other
            logger.bind(event="turn_failed", symbol=symbol).exception("turn_failed")
            if symbol == ENGINE_SUBJECT or symbol in self.state.working.pairs:
                await self.quarantine(symbol, f"{type(error).__name__}: {error}")
            return False
        return True

    async def _carry_out(self, effect: Effect) -> None:
        self.state.deliver(await self.orders.perform(effect))
        await self.update_open_positions()

    async def quarantine(self, symbol: str, reason: str) -> None:
        """Takes the pair's permission to enter until a person gives it back."""

        def work(turn: Turn) -> None:
            quarantine(turn, reason)
            self._runner.run(turn)

        try:
            await self.state.transact(symbol, work, urgent=True)
        except StoreConflict:
            raise
        except StoreError as error:
            self._note_fault(symbol, error)

    def _note_fault(self, symbol: str, error: StoreError) -> None:
        """Told once for as long as the store fails: each tick and each second may try again."""
        if not self.state.fault_was_told:
            self.state.fault_was_told = True
            logger.bind(event="commit_failed", symbol=symbol, fault=str(error)).error("commit_failed")

    def _refuse_tick(self, refusal: BadTick) -> None:
        self.state.metrics.bad_ticks += 1
        self.state.metrics.last_bad_tick = str(refusal)
        logger.bind(event="bad_tick", reason=str(refusal)).warning("bad_tick")

    def _symbol_of(self, machine: str, subject_id: str) -> str:
        if machine == "position":
            position = self.state.position(subject_id)
            return position.symbol if position else subject_id
        if machine == "order":
            order = self.state.order(subject_id)
            return order.symbol if order else subject_id
        return subject_id
