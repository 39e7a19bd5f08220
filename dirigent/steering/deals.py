"""The commands that move money: force-exit, force-enter, cancel-order; by the same tables as everything."""

from collections.abc import Callable

from dirigent.steering.plans import Plan, Result, Step, done, note, refused, says
from fsm import position as machine
from fsm.order import CANCEL_REQUESTED, ORDER, PARTIALLY_FILLED, WORKING
from fsm.pair import SIGNALLED
from fsm.position import EXIT_TRIGGERED
from fsm.records import OrderRecord, PositionRecord
from fsm.values import ExitReason, Leg, Side
from persistence.commands import Command
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn

_NAMED_MAX = 10
"""Of more positions the answer gives the number."""


def force_exit(orchestrator: TradingOrchestrator, command: Command) -> Plan:
    """`id` is a position, or `all` that live."""
    identity = str(command.arguments["id"])
    if identity == "all":
        return _leave_all(orchestrator, command)
    position = orchestrator.state.position(identity)
    if position is None:
        return says(refused(f"there is no position {identity}; see `dirigent positions`"))

    def work(turn: Turn) -> Result:
        found = turn.position(identity)
        assert found is not None
        if found.state not in (machine.OPEN, machine.ORDERING):
            words = "it is leaving already" if found.state == machine.CLOSING else "it has ended"
            return refused(f"position {identity} is {found.state}: {words}")
        if found.exit_reason and found.state == machine.ORDERING:
            return refused(f"position {identity} leaves already, as soon as its entry order has ended")
        _leave(orchestrator, command, turn, [found])
        return done(f"position {identity} is {_state(turn, identity)}")

    return Plan(work, position.symbol)


def _leave_all(orchestrator: TradingOrchestrator, command: Command) -> Plan:
    """A turn a pair. A death between two leaves the rest to the next start, which goes on before the first price
    comes; who leaves already is not sold twice.
    """
    working = orchestrator.state.working
    left: list[str] = []

    def leaving(symbol: str) -> Step:
        def work(turn: Turn) -> None:
            staying = [position for position in turn.positions_of(symbol) if _can_leave(position)]
            _leave(orchestrator, command, turn, staying)
            left.extend(position.id for position in staying)

        return symbol, work

    def work(_: Turn) -> Result:
        if not left:
            living = len(working.positions)
            return done(f"{_counted(living)} already" if living else "no position lives")
        more = len(left) - _NAMED_MAX
        names = ", ".join(left[:_NAMED_MAX])
        return done(f"{_counted(len(left))}: {names}{f' and {more} more' if more > 0 else ''}")

    symbols = dict.fromkeys(
        position.symbol for position in working.positions.values() if _can_leave(position)
    )
    return Plan(work, first=tuple(leaving(symbol) for symbol in symbols))


def _can_leave(position: PositionRecord) -> bool:
    """Whether it stays unless it is told to leave."""
    entering = position.state == machine.ORDERING
    return position.state == machine.OPEN or (entering and not position.exit_reason)


def _counted(number: int) -> str:
    return "1 position leaves" if number == 1 else f"{number} positions leave"


def _leave(
    orchestrator: TradingOrchestrator, command: Command, turn: Turn, positions: list[PositionRecord]
) -> None:
    for position in positions:
        turn.raise_event("position", position.id, EXIT_TRIGGERED, _by_force, note(command, "forces its exit"))
    orchestrator.run(turn)


def _by_force(position: PositionRecord) -> None:
    position.exit_reason = ExitReason.FORCE


def _state(turn: Turn, identity: str) -> str:
    position = turn.position(identity)
    assert position is not None
    if position.state == machine.ORDERING:
        return "ordering: its entry is withdrawn, then what filled is sold"
    return (
        f"{position.state}: order {position.exit_order_id} sells it"
        if position.exit_order_id
        else position.state
    )


def force_enter(orchestrator: TradingOrchestrator, command: Command) -> Plan:
    """A buy signal of the person. Every guard and every risk check holds as for any other."""
    symbol = str(command.arguments["symbol"])
    if symbol not in orchestrator.risk.rules:
        return says(refused(f"{symbol} is no pair of this engine; see `dirigent pairs`"))
    reason = note(command, str(command.arguments.get("reason") or "forces an entry"))

    def work(turn: Turn) -> Result:
        offered = {"id": f"command:{command.id}", "symbol": symbol, "reason": reason, "at": turn.now_ms}
        decision = orchestrator.consider(orchestrator.signals.parse(offered, Side.BUY), turn)
        if not decision.taken:
            return refused(f"{symbol} does not enter: {decision.because}")
        pair = turn.pair(symbol)
        if pair.state == SIGNALLED:
            return done(f"{symbol} is signalled: it enters on the next price that is fresh, or says why not")
        return done(_entered(turn, symbol, pair.entry_position_id))

    return Plan(work, symbol)


def _entered(turn: Turn, symbol: str, position_id: str) -> str:
    position = turn.position(position_id)
    order = turn.order(position.entry_order_id) if position is not None else None
    assert order is not None
    price = "at the market" if order.price is None else f"at {order.price:f}"
    bought = f"order {order.client_order_id} buys {order.amount:f} of {symbol} {price}"
    return f"position {position_id} is ordering: {bought}"


def cancel_order(orchestrator: TradingOrchestrator, command: Command) -> Plan:
    """An entry that is cancelled by a person is not placed again; an exit is, for ever."""
    identity = str(command.arguments["id"])
    order = orchestrator.state.order(identity)
    if order is None:
        return says(refused(f"there is no order {identity}; see `dirigent orders`"))

    def work(turn: Turn) -> Result:
        found = turn.order(identity)
        assert found is not None
        if found.state not in (WORKING, PARTIALLY_FILLED):
            ended = found.state in ORDER.finals
            words = (
                "it has ended" if ended else "it cannot be cancelled before it is known to rest; try again"
            )
            return refused(f"order {identity} is {found.state}: {words}")
        why = note(command, "cancels it")
        turn.raise_event("order", identity, CANCEL_REQUESTED, _cancelled_by(command.person), why)
        orchestrator.run(turn)
        after = "what filled stays" if found.leg == Leg.ENTRY else "the exit is placed again after a pause"
        return done(f"order {identity} is being cancelled; {after}")

    return Plan(work, order.symbol)


def _cancelled_by(person: str) -> Callable[[OrderRecord], None]:
    def update(order: OrderRecord) -> None:
        order.cancel_reason = f"person {person}"

    return update
