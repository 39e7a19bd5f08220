"""How a change of a pair's strategies is written down: an event of the pair, and what a restart has to know."""

from collections.abc import Callable

from fsm.pair import CONFIGURED
from fsm.records import PairRecord, Record
from services.turns.turn import Turn

_FACT = "strategies of "
WANTED = "swap wanted: "
"""Before its pair's symbol: the fact that holds a swap which was asked for and has not ended."""


def write_strategies(turn: Turn, symbol: str, strategies: str, chosen: str, note: str) -> None:
    """`strategies` as the journal describes them; `chosen` is kept for the next start, empty for configured ones."""
    turn.raise_event("pair", symbol, CONFIGURED, described_as(strategies), note)
    turn.facts[fact_name(symbol)] = chosen


def described_as(strategies: str) -> Callable[[Record], None]:
    def update(record: Record) -> None:
        assert isinstance(record, PairRecord)
        record.strategy = strategies

    return update


def fact_name(symbol: str) -> str:
    """Under which the store keeps what was chosen for this pair while the engine ran."""
    return f"{_FACT}{symbol}"
