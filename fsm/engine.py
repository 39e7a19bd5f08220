"""The only step: a state, an event and facts become a row taken or refused, run by `transitions`."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from transitions import Machine

from fsm.table import Row, Table
from fsm.values import Ask, Verdict


class Outcome(StrEnum):
    MOVED = "moved"
    REFUSED = "refused"
    """Rows exist, and of each at least one guard does not hold."""
    IGNORED = "ignored"
    """The table says that this event moves nothing here, and why."""
    ANOMALY = "anomaly"
    """No row and no reason: something happened that the definition holds impossible."""


@dataclass(slots=True)
class Step:
    """What one event did to one subject; never changed once made. Unless MOVED, `target` equals `source`."""

    table: Table
    source: str
    event: str
    outcome: Outcome
    target: str
    row: Row | None
    verdicts: tuple[Verdict, ...]

    @property
    def effects(self) -> tuple[str, ...]:
        return self.row.effects if self.row else ()

    @property
    def refusals(self) -> str:
        """The guards that did not hold, with their words; those that only choose between rows when no other failed."""
        failed = [verdict for verdict in self.verdicts if not verdict.holds]
        reasons = [verdict for verdict in failed if verdict.guard not in self.table.selectors] or failed
        return "; ".join(f"{verdict.guard}: {verdict.because}" for verdict in reasons)

    @property
    def because(self) -> str:
        """Why it did not move: the refusing guards' words, or the table's reason. Empty after a move."""
        if self.outcome is Outcome.REFUSED:
            return self.refusals
        if self.outcome is Outcome.IGNORED:
            return self.table.why_ignored(self.source, self.event) or ""
        if self.outcome is Outcome.ANOMALY:
            return f"no row of table {self.table.name} allows {self.event} in {self.source}"
        return ""


class _Scratch:
    """The throw-away subject that `transitions` moves."""

    __slots__ = ("state", "verdicts")

    def __init__(self, state: str, verdicts: dict[str, Verdict]) -> None:
        self.state = state
        self.verdicts = verdicts


def _all_hold(guards: tuple[str, ...], event: Any) -> bool:
    """One condition a row: `transitions` pays for each condition it calls."""
    verdicts: dict[str, Verdict] = event.model.verdicts
    return all(verdicts[guard].holds for guard in guards)


class Engine:
    """One table, executable. It holds no subject and no clock; `step` is a function of its arguments.

    `transitions` takes 20 µs a move, so it decides each combination of state, event and answers once and is
    remembered; how many there are is bounded by the table.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._reached: dict[tuple[str, str, tuple[bool, ...]], str] = {}
        """Where `transitions` went with the same answers before. What it does depends on nothing else."""
        self._machine: Any = Machine(
            model=None,
            states=[state.name for state in table.states],
            initial=table.initial,
            transitions=[
                {
                    "trigger": row.event,
                    "source": row.source,
                    "dest": row.target,
                    "conditions": [partial(_all_hold, row.guards)] if row.guards else [],
                }
                for row in table.rows
            ],
            auto_transitions=False,
            send_event=True,
        )

    def step(self, state: str, event: str, ask: Ask) -> Step:
        """Decides one event: asks guards in the order of the rows, each once at most, until a row holds."""
        rows = self.table.rows_of(state, event)
        if not rows:
            known = self.table.why_ignored(state, event) is not None
            return Step(
                self.table, state, event, Outcome.IGNORED if known else Outcome.ANOMALY, state, None, ()
            )
        verdicts: dict[str, Verdict] = {}
        row = _first_that_holds(rows, ask, verdicts)
        asked = tuple(verdicts.values())
        if row is None:
            return Step(self.table, state, event, Outcome.REFUSED, state, None, asked)
        holding = tuple(verdict.holds for verdict in asked)
        target = self._reached.get((state, event, holding))
        if target is None:
            target = self.run(state, event, verdicts)
            if target != row.target:
                raise AssertionError(f"table {self.table.name}: {state} + {event} ran to {target}")
            self._reached[state, event, holding] = target
        return Step(self.table, state, event, Outcome.MOVED, target, row, asked)

    def run(self, state: str, event: str, verdicts: dict[str, Verdict]) -> str:
        """The state that `transitions` itself reaches; the source when no transition's conditions hold."""
        scratch = _Scratch(state, verdicts)
        self._machine.events[event].trigger(scratch)
        return scratch.state


def _first_that_holds(rows: tuple[Row, ...], ask: Ask, verdicts: dict[str, Verdict]) -> Row | None:
    for row in rows:
        for guard in row.guards:
            verdict = verdicts.get(guard)
            if verdict is None:
                verdict = verdicts[guard] = ask(guard)
            if not verdict.holds:
                break
        else:
            return row
    return None
