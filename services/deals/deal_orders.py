"""What a deal wants of the market next, its orders' amounts and prices: the position's guards and effects."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from fsm import order as order_machine
from fsm import position as machine
from fsm.order import PARTIALLY_FILLED, PLANNED, WORKING
from fsm.records import OrderRecord, PositionRecord
from fsm.table import DEADLINE_PASSED
from fsm.values import MONEY, ZERO, ExitReason, Leg, OrderType, Side, Verdict
from services.deals import booking
from services.deals.booking import floor_to_step
from services.deals.exit_levels import read_rules
from services.deals.order_ids import order_id, under_tag
from services.deals.pair_guards import entry_is_permitted
from services.market_data_analyzer import MarketDataAnalyzer
from services.messages import MarketRules
from services.state_management import StateManagementService
from services.turns.bindings import Bindings
from services.turns.turn import Happening, Turn

_RESTING = frozenset({WORKING, PARTIALLY_FILLED})
_ENDED = order_machine.ORDER.finals

EXIT_PATIENCE_MS = 30_000
EXIT_RETRY_MIN_MS = 1_000
EXIT_RETRY_MAX_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """An order as the position wants it, before it has a state."""

    leg: Leg
    client_order_id: str
    attempt: int
    amount: Decimal
    price: Decimal | None


class DealOrders:
    """Plans the entry and exit orders of positions, from memory alone."""

    def __init__(
        self,
        market_rules: dict[str, MarketRules],
        market: MarketDataAnalyzer,
        state: StateManagementService,
    ) -> None:
        self.market_rules = market_rules
        self.market = market
        self.state = state
        self.bindings = Bindings(
            guards={"position": {name: getattr(self, name) for name in machine.POSITION.guards}},
            effects={
                "position": {
                    name: getattr(self, name)
                    for name in ("submit_entry", "cancel_entry", "submit_exit", "cancel_exit", "arm_exits")
                }
                | {"note_exit": self.note_exit, "book_result": self.book_result}
            },
            deadlines={
                "entry_age": self.entry_age,
                "holding_time": self.holding_time,
                "exit_patience": self.exit_patience,
            },
        )

    def holding_is_sellable(self, turn: Turn, position: PositionRecord) -> Verdict:
        rules = self.market_rules[position.symbol]
        amount = floor_to_step(position.quantity, rules.amount_step)
        price = self._price(position)
        worth = MONEY.multiply(amount, price)
        least = max(rules.amount_min, rules.amount_step)
        holds = _is_taken(rules, amount, price)
        words = f"{amount:f} of at least {least:f}, worth {worth:f} of at least {rules.cost_min:f}"
        return Verdict("holding_is_sellable", holds, words)

    def holding_is_dust(self, turn: Turn, position: PositionRecord) -> Verdict:
        sellable = self.holding_is_sellable(turn, position)
        return Verdict("holding_is_dust", position.quantity > ZERO and not sellable.holds, sellable.because)

    def nothing_is_held(self, turn: Turn, position: PositionRecord) -> Verdict:
        return Verdict("nothing_is_held", position.quantity <= ZERO, f"{position.quantity:f} held")

    def entry_is_cancellable(self, turn: Turn, position: PositionRecord) -> Verdict:
        return self._rests("entry_is_cancellable", turn, position.entry_order_id)

    def exit_is_cancellable(self, turn: Turn, position: PositionRecord) -> Verdict:
        return self._rests("exit_is_cancellable", turn, position.exit_order_id)

    def _rests(self, guard: str, turn: Turn, client_order_id: str) -> Verdict:
        order = turn.order(client_order_id) if client_order_id else None
        state = order.state if order else "none"
        return Verdict(guard, state in _RESTING, f"order {client_order_id or '-'} is {state}")

    def no_exit_is_live(self, turn: Turn, position: PositionRecord) -> Verdict:
        order = turn.order(position.exit_order_id) if position.exit_order_id else None
        state = order.state if order else "none"
        return Verdict("no_exit_is_live", order is None or state in _ENDED, f"exit order is {state}")

    def entry_may_be_replaced(self, turn: Turn, position: PositionRecord) -> Verdict:
        order = turn.order(position.entry_order_id)
        limit = read_rules(position.rules).entry_attempts
        stale = (
            order is not None and order.cancel_reason == "stale" and order.state == order_machine.CANCELLED
        )
        holds = stale and not position.exit_reason and position.entry_attempt < limit
        permitted = entry_is_permitted(turn, turn.pair(position.symbol))
        price, amount = self._entry_terms(position)
        sizeable = _is_taken(self.market_rules[position.symbol], amount, price)
        words = f"attempt {position.entry_attempt} of {limit}, {'stale' if stale else 'not stale'}"
        words += f", {amount:f} at {price:f}, {permitted.because}"
        return Verdict("entry_may_be_replaced", holds and permitted.holds and sizeable, words)

    def _entry_terms(self, position: PositionRecord) -> tuple[Decimal, Decimal]:
        """Price and amount of an entry order at this moment; both zero while no price was seen."""
        market, rules = self.market.market(position.symbol), self.market_rules[position.symbol]
        price = market.last
        if read_rules(position.rules).order_type == OrderType.LIMIT:
            price = floor_to_step(min(market.bid or market.last, market.last), rules.price_step)
        if not price:
            return ZERO, ZERO
        return price, floor_to_step(MONEY.divide(position.quota, price), rules.amount_step)

    def submit_entry(self, turn: Turn, position: PositionRecord, _: Happening) -> None:
        order_type = read_rules(position.rules).order_type
        price, amount = self._entry_terms(position)
        position.entry_attempt += 1
        position.entry_order_id = order_id(self._name(position), Leg.ENTRY, position.entry_attempt)
        limit = price if order_type == OrderType.LIMIT else None
        plan = _Plan(Leg.ENTRY, position.entry_order_id, position.entry_attempt, amount, limit)
        self.state.order_rate.note(turn.now_ms)
        _plan_order(turn, position, plan)

    def submit_exit(self, turn: Turn, position: PositionRecord, _: Happening) -> None:
        rules = self.market_rules[position.symbol]
        amount = floor_to_step(position.quantity, rules.amount_step)
        position.exit_attempt += 1
        position.exit_order_id = order_id(self._name(position), Leg.EXIT, position.exit_attempt)
        plan = _Plan(Leg.EXIT, position.exit_order_id, position.exit_attempt, amount, None)
        self.state.order_rate.note(turn.now_ms)
        _plan_order(turn, position, plan)

    def cancel_entry(self, turn: Turn, position: PositionRecord, _: Happening) -> None:
        reason = "exit" if position.exit_reason else "stale"
        turn.raise_event(
            "order", position.entry_order_id, order_machine.CANCEL_REQUESTED, _cancelled_for(reason)
        )

    def cancel_exit(self, turn: Turn, position: PositionRecord, _: Happening) -> None:
        turn.raise_event(
            "order", position.exit_order_id, order_machine.CANCEL_REQUESTED, _cancelled_for("slow")
        )

    def arm_exits(self, turn: Turn, position: PositionRecord, _: Happening) -> None:
        if position.opened_at_ms is None:
            position.opened_at_ms = turn.now_ms
        position.high_water = max(position.high_water, position.entry_price or ZERO)
        position.closed_at_ms, position.realized_pnl = None, ZERO
        if position.exit_reason:
            turn.raise_event("position", position.id, machine.EXIT_TRIGGERED)

    def note_exit(self, turn: Turn, position: PositionRecord, happening: Happening) -> None:
        if happening.event == DEADLINE_PASSED:
            position.exit_reason = ExitReason.TIME_LIMIT
        watch = self.state.working.watches.get(position.symbol, {}).get(position.id)
        if watch is not None and not watch.is_entry:
            position.high_water = watch.high

    def book_result(self, turn: Turn, position: PositionRecord, _: Happening) -> None:
        booking.book_result(position, turn.now_ms)

    def tell_fill(self, turn: Turn, order: OrderRecord, happening: Happening) -> None:
        if not happening.fills:
            return
        entry = order.leg == Leg.ENTRY
        event = machine.ENTRY_FILLED_FURTHER if entry else machine.EXIT_FILLED_FURTHER
        _tell(turn, order, event, happening)

    def tell_end(self, turn: Turn, order: OrderRecord, happening: Happening) -> None:
        """The end of an order that its position no longer waits for decides nothing; its fills count all the same."""
        if not is_awaited(turn.position(order.position_id), order):
            self.tell_fill(turn, order, happening)
            return
        entry = order.leg == Leg.ENTRY
        _tell(turn, order, machine.ENTRY_ENDED if entry else machine.EXIT_ENDED, happening)

    def entry_age(self, turn: Turn, position: PositionRecord) -> int:
        return turn.now_ms + int(read_rules(position.rules).entry_max_age_s * 1000)

    def holding_time(self, turn: Turn, position: PositionRecord) -> int | None:
        limit_s = read_rules(position.rules).max_hold_s
        return None if limit_s is None else (position.opened_at_ms or turn.now_ms) + int(limit_s * 1000)

    def exit_patience(self, turn: Turn, position: PositionRecord) -> int:
        """A live exit is given time; one that was refused is repeated after a pause that doubles up to a minute, or
        in the moment in which the exchange takes orders again, where it said when."""
        if not self.no_exit_is_live(turn, position).holds:
            return turn.now_ms + EXIT_PATIENCE_MS
        pause_ms = turn.wait_ms or EXIT_RETRY_MIN_MS << min(max(position.exit_attempt - 1, 0), 16)
        return turn.now_ms + min(pause_ms, EXIT_RETRY_MAX_MS)

    def _name(self, position: PositionRecord) -> str:
        return under_tag(position.id, self.state.tag)

    def _price(self, position: PositionRecord) -> Decimal:
        return self.market.market(position.symbol).last or position.reference_price


def is_awaited(position: PositionRecord | None, order: OrderRecord) -> bool:
    """Whether its position still waits for this very order."""
    if position is None:
        return False
    if order.leg == Leg.ENTRY:
        return position.state == machine.ORDERING and position.entry_order_id == order.client_order_id
    return position.state == machine.CLOSING and position.exit_order_id == order.client_order_id


def _is_taken(rules: MarketRules, amount: Decimal, price: Decimal) -> bool:
    """Whether the exchange takes an order as small as that."""
    least = max(rules.amount_min, rules.amount_step)
    return amount >= least and MONEY.multiply(amount, price) >= rules.cost_min


def _plan_order(turn: Turn, position: PositionRecord, plan: _Plan) -> None:
    order = OrderRecord(
        state=PLANNED,
        client_order_id=plan.client_order_id,
        position_id=position.id,
        symbol=position.symbol,
        leg=plan.leg,
        side=Side.BUY if plan.leg is Leg.ENTRY else Side.SELL,
        type=OrderType.MARKET if plan.price is None else OrderType.LIMIT,
        attempt=plan.attempt,
        amount=plan.amount,
        price=plan.price,
        created_at_ms=turn.now_ms,
        sent_at_ms=turn.now_ms,
    )
    turn.give_birth(order)
    turn.raise_event("order", plan.client_order_id, order_machine.ORDER_SUBMITTED)


def _tell(turn: Turn, order: OrderRecord, event: str, happening: Happening) -> None:
    fills, happening.fills = happening.fills, []
    reason = order.reason

    def update(position: PositionRecord) -> None:
        booking.book_on_position(position, order.leg, fills)
        if reason and order.state in _ENDED:
            position.reason = reason

    turn.queue.append(Happening("position", order.position_id, event, update, fills))


def _cancelled_for(reason: str) -> Callable[[OrderRecord], None]:
    def update(order: OrderRecord) -> None:
        order.cancel_reason = reason

    return update
