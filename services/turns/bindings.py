"""Who answers for the names in the tables: guards, effects and deadlines bound to methods of services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fsm.engine import Engine
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.table import TableError
from fsm.values import Verdict
from services.turns.turn import Happening, Turn

Guard = Callable[[Turn, Any], Verdict]
EffectHandler = Callable[[Turn, Any, Happening], None]
Deadline = Callable[[Turn, Any], int | None]
"""When a wait ends, in ms since the epoch; None for a wait without end."""

TABLES = (PAIR, POSITION, ORDER, PERMISSION)


@dataclass(frozen=True, slots=True)
class Bindings:
    """By machine and name; deadlines by name. `|` joins what several services answer for."""

    guards: Mapping[str, Mapping[str, Guard]] = field(default_factory=dict)
    effects: Mapping[str, Mapping[str, EffectHandler]] = field(default_factory=dict)
    deadlines: Mapping[str, Deadline] = field(default_factory=dict)

    def __or__(self, other: "Bindings") -> "Bindings":
        return Bindings(
            _join(self.guards, other.guards),
            _join(self.effects, other.effects),
            {**self.deadlines, **other.deadlines},
        )


def _join(
    mine: Mapping[str, Mapping[str, Any]], theirs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    return {name: {**mine.get(name, {}), **theirs.get(name, {})} for name in {*mine, *theirs}}


@dataclass(frozen=True, slots=True)
class BoundMachine:
    """A table's engine with everything its names stand for."""

    engine: Engine
    guards: Mapping[str, Guard]
    effects: Mapping[str, EffectHandler]
    due: Mapping[str, Deadline | None]
    """The deadline of each state; None where the state does not wait on one."""


_ENGINES = {table.name: Engine(table) for table in TABLES}


def bind(bindings: Bindings) -> dict[str, BoundMachine]:
    """Raises TableError when a guard, an effect or a deadline of any table has nobody who answers for it."""
    bound = {}
    for table in TABLES:
        guards, effects = bindings.guards.get(table.name, {}), bindings.effects.get(table.name, {})
        table.require(guards, effects)
        due: dict[str, Deadline | None] = {}
        for state in table.states:
            if state.deadline and state.deadline not in bindings.deadlines:
                raise TableError(f"table {table.name}: nobody answers for deadline {state.deadline}; bind it")
            due[state.name] = bindings.deadlines[state.deadline] if state.deadline else None
        bound[table.name] = BoundMachine(_ENGINES[table.name], guards, effects, due)
    return bound
