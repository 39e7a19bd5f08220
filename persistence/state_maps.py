"""How a stored state that a table no longer has becomes one that it has."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateMap:
    """One renaming, applied at a start and journaled as a move of each subject that it covers."""

    name: str
    machine: str
    states: Mapping[str, str]
    """Old state to new state; the new one takes the deadline that was stored."""


STATE_MAPS: tuple[StateMap, ...] = ()
"""None: no state was ever dropped."""


def map_of(machine: str, state: str) -> StateMap | None:
    return next((m for m in STATE_MAPS if m.machine == machine and state in m.states), None)
