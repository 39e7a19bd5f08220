"""The pair's guards that look at its positions and permissions; pure functions of what the turn sees."""

from fsm import position as position_machine
from fsm.order import UNKNOWN
from fsm.permission import ACTIVE, ENGINE_SUBJECT
from fsm.position import CLOSING, OPEN
from fsm.records import PairRecord
from fsm.values import Verdict
from services.turns.turn import Turn

_ENTERING = frozenset({position_machine.IDLE, position_machine.SIGNALLED, position_machine.ORDERING})


def entry_is_permitted(turn: Turn, pair: PairRecord) -> Verdict:
    """Both the pair and the engine have to be active."""
    for scope in (ENGINE_SUBJECT, pair.symbol):
        permission = turn.permission(scope)
        if permission.state != ACTIVE:
            return Verdict("entry_is_permitted", False, f"{scope} is {permission.state}: {permission.reason}")
    return Verdict("entry_is_permitted", True, "engine and pair are active")


def outcomes_are_known(turn: Turn, pair: PairRecord) -> Verdict:
    """An order whose outcome nobody knows may have spent the money that the next entry would spend."""
    unknown = []
    for position in turn.positions_of(pair.symbol):
        for identity in (position.entry_order_id, position.exit_order_id):
            order = turn.view.live_order(identity) if identity else None
            if order is not None and order.state == UNKNOWN:
                unknown.append(identity)
    return Verdict("outcomes_are_known", not unknown, f"unknown: {', '.join(unknown) or 'none'}")


def _count(turn: Turn, symbol: str) -> tuple[int, int, int]:
    """How many positions of the pair are entering, open, closing."""
    counted: tuple[int, int, int] | None = turn.memory.get(symbol)
    if counted is None:
        states = [position.state for position in turn.positions_of(symbol)]
        entering = sum(state in _ENTERING for state in states)
        counted = turn.memory[symbol] = entering, states.count(OPEN), states.count(CLOSING)
    return counted


def _words(opened: int, closing: int) -> str:
    return f"{opened} open, {closing} closing"


def entry_is_done(turn: Turn, pair: PairRecord) -> Verdict:
    entering, _, _ = _count(turn, pair.symbol)
    return Verdict("entry_is_done", entering == 0, f"{entering} entering")


def no_position_lives(turn: Turn, pair: PairRecord) -> Verdict:
    _, opened, closing = _count(turn, pair.symbol)
    return Verdict("no_position_lives", opened + closing == 0, _words(opened, closing))


def a_position_is_open(turn: Turn, pair: PairRecord) -> Verdict:
    _, opened, closing = _count(turn, pair.symbol)
    return Verdict("a_position_is_open", opened > 0, _words(opened, closing))


def every_position_is_closing(turn: Turn, pair: PairRecord) -> Verdict:
    _, opened, closing = _count(turn, pair.symbol)
    return Verdict("every_position_is_closing", opened == 0 and closing > 0, _words(opened, closing))


PAIR_GUARDS = {
    guard.__name__: guard
    for guard in (
        entry_is_permitted,
        outcomes_are_known,
        entry_is_done,
        no_position_lives,
        a_position_is_open,
        every_position_is_closing,
    )
}
