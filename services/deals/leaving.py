"""Which positions leave, and why: those whose levels the price has touched, those that listen to a sell signal."""

from collections.abc import Iterable
from decimal import Decimal

from fsm.order import CANCELLING
from fsm.position import ENTRY_WENT_STALE, EXIT_TRIGGERED, OPEN, ORDERING
from fsm.records import PositionRecord
from fsm.values import ExitReason
from services.deals.exit_levels import Watch, read_rules
from services.turns.turn import Turn, Update


def leave_at_price(turn: Turn, price: Decimal, touched: Iterable[Watch]) -> None:
    """Raises each position's exit; of an entry that the market has left behind, that it went stale."""
    for watch in touched:
        position = turn.position(watch.position_id)
        if position is None or position.exit_reason:
            continue
        if watch.is_entry and price >= watch.above:
            order = turn.order(position.entry_order_id)
            if position.state == ORDERING and order is not None and order.state != CANCELLING:
                turn.raise_event("position", position.id, ENTRY_WENT_STALE)
        else:
            turn.raise_event("position", position.id, EXIT_TRIGGERED, _leave_for(watch.reason_at(price)))


def leave_on_sell_signal(turn: Turn, symbol: str) -> int:
    """Raises the exit of each position of the pair whose rules say so; how many these are."""
    leaving = [position.id for position in turn.positions_of(symbol) if _listens(position)]
    for position_id in leaving:
        turn.raise_event("position", position_id, EXIT_TRIGGERED, _leave_for(ExitReason.OPPOSITE_SIGNAL))
    return len(leaving)


def _listens(position: PositionRecord) -> bool:
    return (
        position.state in (OPEN, ORDERING)
        and not position.exit_reason
        and read_rules(position.rules).exit_on_sell_signal
    )


def _leave_for(reason: ExitReason) -> Update:
    def update(position: PositionRecord) -> None:
        position.exit_reason = reason

    return update
