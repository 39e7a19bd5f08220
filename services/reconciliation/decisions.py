"""What a person decides where no evidence does: adopt, detach, close, resume; each journaled with a name."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from fsm import position as machine
from fsm.order import ORDER_ADOPTED, PLANNED
from fsm.pair import ENTRY_ADOPTED as PAIR_ENTRY_ADOPTED
from fsm.permission import ACTIVE, BALANCE_ACCEPTED, ENGINE_SUBJECT, RESUMED
from fsm.position import CLOSED, CLOSING, DUST, EXIT_TRIGGERED, IDLE, OPEN, ORDERING, POSITION_DETACHED
from fsm.records import OrderRecord, PairRecord, PositionRecord
from fsm.values import MONEY, ZERO, ExitReason, Leg, Side, base_of, quote_of
from services.deals.exit_levels import write_rules
from services.deals.order_ids import position_id
from services.messages import OrderReport, OrderRequest, PairRules
from services.reconciliation.baselines import BASELINES, baselines_in, write_baselines
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn


class CannotDecide(ValueError):
    """The decision cannot be carried out; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Carried out through the orchestrator, as everything is. `person` is who decided."""

    orchestrator: TradingOrchestrator
    person: str

    def note(self, words: str) -> str:
        return f"person {self.person}: {words}"

    async def adopt_holding(self, symbol: str, amount: Decimal, price: Decimal) -> str:
        """The coins become an open position of the pair, as if bought at `price`; its id."""
        rules = self._rules_of(symbol)
        spent = MONEY.multiply(amount, price)
        position = self._born(symbol, rules, spent, price, f"adopted {amount:f} {base_of(symbol)}")
        position.bought = position.quantity = amount
        position.spent = spent
        note = self.note(f"adopts {amount:f} {base_of(symbol)} at {price:f}")
        refusals: list[str] = []

        def work(turn: Turn) -> None:
            turn.give_birth(position)
            turn.raise_event("position", position.id, machine.HOLDING_ADOPTED, None, note)
            step = self.orchestrator.run(turn)[0]
            if step.row is None:
                refusals.append(step.because)
                turn.staged.clear()
                return
            turn.facts.update(self._baseline_moved(quote_of(symbol), spent))

        await self._transact(symbol, work)
        if refusals:
            raise CannotDecide(f"{amount:f} {base_of(symbol)} cannot be adopted: {refusals[0]}")
        return position.id

    async def adopt_order(self, report: OrderReport) -> str:
        """A purchase that rests at the exchange becomes the entry order of a new position; that position's id.

        It is looked up before anything of it is believed.
        """
        request = report.request
        if request is None or not report.client_order_id:
            raise CannotDecide(
                "the exchange does not say what was ordered; cancel it there, then adopt the coin"
            )
        name, symbol, limit = request.client_order_id, request.symbol, request.price
        if request.side != Side.BUY:
            raise CannotDecide(f"order {name} sells what no position holds; cancel it at the exchange")
        if limit is None:
            raise CannotDecide(f"order {name} has no limit; wait until it has ended, then adopt the coin")
        rules = self._rules_of(symbol)
        position = self._born(symbol, rules, MONEY.multiply(request.amount, limit), limit, f"adopted {name}")
        position.entry_order_id, position.entry_attempt = name, rules.entry_attempts
        note = self.note(f"adopts order {name}")
        refusals: list[str] = []

        def hold(pair: PairRecord) -> None:
            pair.entry_position_id = position.id

        def work(turn: Turn) -> None:
            turn.raise_event("pair", symbol, PAIR_ENTRY_ADOPTED, hold, note)
            step = self.orchestrator.run(turn)[0]
            if step.row is None:
                refusals.append(f"{symbol} is {step.source}: {step.because}")
                return
            turn.give_birth(position)
            turn.raise_event("position", position.id, machine.ENTRY_ADOPTED, None, note)
            turn.give_birth(_adopted(request, position.id, report.exchange_order_id or "", turn.now_ms))
            turn.raise_event("order", name, ORDER_ADOPTED, None, note)
            self.orchestrator.run(turn)

        await self._transact(symbol, work)
        if refusals:
            raise CannotDecide(f"order {name} cannot be adopted: {refusals[0]}")
        return position.id

    async def adopt_balance(self, quote: str, surplus: Decimal) -> None:
        """What the account holds beyond the positions' earnings is right as it is: a deposit or a withdrawal."""
        known = baselines_in(self.orchestrator.state.facts)
        moved = MONEY.subtract(surplus, known.get(quote, ZERO))
        note = self.note(f"accepts {moved:+f} {quote}")

        def work(turn: Turn) -> None:
            turn.facts[BASELINES] = write_baselines({**known, quote: surplus})
            turn.raise_event("permission", ENGINE_SUBJECT, BALANCE_ACCEPTED, None, note)
            self.orchestrator.run(turn)

        await self._transact(ENGINE_SUBJECT, work)

    async def detach(self, identity: str) -> None:
        """The position's coins are gone: it ends, and they count as sold for nothing."""
        position = self._position(identity)
        if position.state not in (OPEN, CLOSING, DUST, CLOSED):
            raise CannotDecide(f"position {identity} is {position.state}: it has nothing that could be gone")
        gone = MONEY.add(position.quantity, position.dust)
        if not gone:
            raise CannotDecide(f"position {identity} holds nothing")

        def update(record: PositionRecord) -> None:
            record.sold = MONEY.add(record.sold, gone)
            record.quantity = record.dust = ZERO
            record.exit_reason = ExitReason.DETACHED
            record.reason = f"detached by {self.person}"

        note = self.note(f"detaches {gone:f} {base_of(position.symbol)}")
        await self._apply_to_position(position, POSITION_DETACHED, update, note)

    async def close(self, identity: str) -> None:
        """The position is told to leave; its order leaves with the session's sends."""
        position = self._position(identity)
        if position.state not in (OPEN, ORDERING):
            words = "it is leaving already" if position.state == CLOSING else "it has ended"
            raise CannotDecide(f"position {identity} is {position.state}: {words}")

        def update(record: PositionRecord) -> None:
            record.exit_reason = ExitReason.FORCE

        await self._apply_to_position(position, EXIT_TRIGGERED, update, self.note("closes it"))

    async def resume(self, scope: str) -> None:
        """The pair, or the engine, may enter again."""
        permission = self.orchestrator.state.working.permissions.get(scope)
        if permission is None:
            raise CannotDecide(f"{scope} is no pair of this database; see dirigent pairs")
        if permission.state == ACTIVE:
            raise CannotDecide(f"{scope} is active already")
        note = self.note(f"resumes it after: {permission.reason}")
        if not await self.orchestrator.apply("permission", scope, RESUMED, None, note):
            raise CannotDecide(self._fault())

    def _rules_of(self, symbol: str) -> PairRules:
        rules = self.orchestrator.risk.rules.get(symbol)
        if rules is None:
            raise CannotDecide(f"{symbol} is no pair of this engine; add it to the configuration first")
        return rules

    def _born(
        self, symbol: str, rules: PairRules, quota: Decimal, price: Decimal, reason: str
    ) -> PositionRecord:
        state = self.orchestrator.state
        return PositionRecord(
            state=IDLE,
            id=position_id(state.tag, state.next_position_number()),
            symbol=symbol,
            strategy=self.orchestrator.signals.describe(symbol),
            rules=write_rules(rules),
            quota=quota,
            reference_price=price,
            reason=f"{reason} by {self.person}",
            created_at_ms=state.clock.now_ms(),
        )

    def _baseline_moved(self, quote: str, spent: Decimal) -> dict[str, str]:
        """An adopted position says that it spent what never left the account."""
        known = baselines_in(self.orchestrator.state.facts)
        if quote not in known:
            return {}
        return {BASELINES: write_baselines({**known, quote: MONEY.add(known[quote], spent)})}

    def _position(self, identity: str) -> PositionRecord:
        position = self.orchestrator.state.position(identity)
        if position is None:
            raise CannotDecide(f"there is no position {identity}; see dirigent positions")
        return position

    async def _apply_to_position(
        self, position: PositionRecord, event: str, update: Callable[[PositionRecord], None], note: str
    ) -> None:
        refusals: list[str] = []

        def work(turn: Turn) -> None:
            turn.raise_event("position", position.id, event, update, note)
            step = self.orchestrator.run(turn)[0]
            if step.row is None:
                refusals.append(step.because)

        await self._transact(position.symbol, work)
        if refusals:
            raise CannotDecide(f"position {position.id} is {position.state}: {refusals[0]}")

    async def _transact(self, symbol: str, work: Callable[[Turn], None]) -> None:
        if not await self.orchestrator.transact(symbol, work, urgent=True):
            raise CannotDecide(self._fault())

    def _fault(self) -> str:
        return f"it was not committed: {self.orchestrator.state.store_fault or 'see the log'}"


def _adopted(request: OrderRequest, owner: str, exchange_order_id: str, now_ms: int) -> OrderRecord:
    return OrderRecord(
        state=PLANNED,
        client_order_id=request.client_order_id,
        exchange_order_id=exchange_order_id,
        position_id=owner,
        symbol=request.symbol,
        leg=Leg.ENTRY,
        side=request.side,
        type=request.type,
        amount=request.amount,
        price=request.price,
        created_at_ms=now_ms,
        sent_at_ms=now_ms,
    )
