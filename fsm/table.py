"""A machine's definition as data, and the checks that refuse a bad one at import."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

DEADLINE_PASSED = "deadline_passed"


class TableError(ValueError):
    """A definition that must not run; the message names the table, the row and the remedy."""


@dataclass(frozen=True, slots=True)
class State:
    """One state.

    `deadline` names the duration after which `deadline_passed` is raised for a subject that still waits here;
    `waits_on` names the machine whose own deadlines bound the wait instead.
    """

    name: str
    meaning: str
    initial: bool = False
    final: bool = False
    deadline: str = ""
    waits_on: str = ""

    @property
    def waits(self) -> bool:
        return bool(self.deadline or self.waits_on)


@dataclass(frozen=True, slots=True)
class Row:
    """One permitted move. Of the rows of one source and event the first whose guards all hold is taken.

    `otherwise` marks a row that relies on the rows above it having been refused.
    """

    source: str
    event: str
    target: str
    guards: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    why: str = ""
    otherwise: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that may reach these states and moves nothing, with the reason."""

    sources: tuple[str, ...]
    event: str
    why: str


@dataclass(frozen=True)
class Table:
    """A checked definition: states, rows, and the vocabulary of guards and effects with their meanings.

    `exclusive` lists groups of guards of which at most one can hold. Raises TableError on any defect.
    """

    name: str
    states: tuple[State, ...]
    rows: tuple[Row, ...]
    guards: Mapping[str, str]
    effects: Mapping[str, str]
    ignored: tuple[Ignored, ...] = ()
    exclusive: tuple[frozenset[str], ...] = ()
    by_name: dict[str, State] = field(init=False, repr=False)
    _rows_of: dict[tuple[str, str], tuple[Row, ...]] = field(init=False, repr=False)
    _ignored: dict[tuple[str, str], str] = field(init=False, repr=False)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "by_name", {state.name: state for state in self.states})
        grouped: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            grouped.setdefault((row.source, row.event), []).append(row)
        keep(self, "_rows_of", {key: tuple(rows) for key, rows in grouped.items()})
        keep(self, "_ignored", {(s, i.event): i.why for i in self.ignored for s in i.sources})
        check(self)
        keep(self, "hash", definition_hash(self))

    @property
    def initial(self) -> str:
        return next(state.name for state in self.states if state.initial)

    @property
    def selectors(self) -> frozenset[str]:
        """Guards of which one holds by nature: they choose a row and give no reason."""
        return frozenset(guard for group in self.exclusive for guard in group)

    @property
    def finals(self) -> frozenset[str]:
        return frozenset(state.name for state in self.states if state.final)

    @property
    def events(self) -> tuple[str, ...]:
        """Every event the table knows, in order of first mention."""
        return tuple(dict.fromkeys([row.event for row in self.rows] + [i.event for i in self.ignored]))

    def rows_of(self, state: str, event: str) -> tuple[Row, ...]:
        return self._rows_of.get((state, event), ())

    def why_ignored(self, state: str, event: str) -> str | None:
        return self._ignored.get((state, event))

    def require(self, guards: Iterable[str], effects: Iterable[str]) -> None:
        """Raises TableError when a guard or an effect of this table has nobody who answers for it."""
        for kind, known, bound in (
            ("guard", self.guards, set(guards)),
            ("effect", self.effects, set(effects)),
        ):
            missing = sorted(set(known) - bound)
            if missing:
                raise TableError(
                    f"table {self.name}: nobody answers for {kind} {', '.join(missing)}; bind it"
                )


def definition_hash(table: Table) -> str:
    """SHA-256, first 16 hex digits, over what the table does; wording (meanings, reasons) does not count."""
    canonical = {
        "name": table.name,
        "states": [[s.name, s.initial, s.final, s.deadline, s.waits_on] for s in table.states],
        "rows": [[r.source, r.event, r.target, r.guards, r.effects, r.otherwise] for r in table.rows],
        "ignored": sorted([source, i.event] for i in table.ignored for source in i.sources),
    }
    text = json.dumps(canonical, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check(table: Table) -> None:
    """Every rule a definition must keep; the first one broken raises TableError."""
    _check_names(table)
    _check_reach(table)
    _check_waits(table)
    _check_order(table)


def _fail(table: Table, what: str) -> None:
    raise TableError(f"table {table.name}: {what}")


def _check_names(table: Table) -> None:
    names = [state.name for state in table.states]
    if len(set(names)) != len(names):
        _fail(table, "a state is listed twice; keep one")
    if sum(state.initial for state in table.states) != 1:
        _fail(table, "exactly one state must be initial")
    for row in table.rows:
        for state in (row.source, row.target):
            if state not in table.by_name:
                _fail(table, f"row {row.source} + {row.event} names the unknown state {state!r}")
        for guard in row.guards:
            if guard not in table.guards:
                _fail(table, f"row {row.source} + {row.event} asks the unknown guard {guard!r}")
        for effect in row.effects:
            if effect not in table.effects:
                _fail(table, f"row {row.source} + {row.event} wants the unknown effect {effect!r}")
    _check_use(table)
    for ignored in table.ignored:
        for source in ignored.sources:
            if source not in table.by_name:
                _fail(table, f"ignored event {ignored.event} names the unknown state {source!r}")
            if table.rows_of(source, ignored.event):
                _fail(table, f"{source} + {ignored.event} is both a row and ignored; decide for one")


def _check_use(table: Table) -> None:
    used_guards = {guard for row in table.rows for guard in row.guards}
    used_effects = {effect for row in table.rows for effect in row.effects}
    for unused in sorted(set(table.guards) - used_guards | set(table.effects) - used_effects):
        _fail(table, f"{unused!r} is declared and no row uses it; remove it")
    for group in table.exclusive:
        for unknown in sorted(group - set(table.guards)):
            _fail(table, f"the exclusive group names the unknown guard {unknown!r}")


def _check_reach(table: Table) -> None:
    forward: dict[str, set[str]] = {state.name: set() for state in table.states}
    backward: dict[str, set[str]] = {state.name: set() for state in table.states}
    for row in table.rows:
        forward[row.source].add(row.target)
        backward[row.target].add(row.source)
    reached = _closure({table.initial}, forward)
    for state in table.states:
        if state.name not in reached:
            _fail(table, f"state {state.name!r} cannot be reached from {table.initial!r}")
        if not state.final and not forward[state.name] - {state.name}:
            _fail(table, f"state {state.name!r} is a dead end; add a row that leaves it or mark it final")
    ends = table.finals or {table.initial}
    for name in sorted(set(table.by_name) - _closure(set(ends), backward)):
        _fail(table, f"from state {name!r} no end can be reached")


def _closure(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    found, frontier = set(start), list(start)
    while frontier:
        for nearby in edges[frontier.pop()] - found:
            found.add(nearby)
            frontier.append(nearby)
    return found


def _check_waits(table: Table) -> None:
    for state in table.states:
        if state.deadline and not table.rows_of(state.name, DEADLINE_PASSED):
            _fail(table, f"state {state.name!r} waits for {state.deadline} and no row answers its deadline")
        if not state.deadline and table.rows_of(state.name, DEADLINE_PASSED):
            _fail(table, f"state {state.name!r} answers a deadline that it does not name")


def _check_order(table: Table) -> None:
    for (source, event), rows in table._rows_of.items():
        for first, second in combinations(rows, 2):
            where = f"rows {source} + {event} to {first.target} and to {second.target}"
            if set(first.guards) <= set(second.guards) and first.guards != second.guards:
                _fail(table, f"{where}: the second is shadowed by the first and never taken; reorder them")
            if set(first.guards) == set(second.guards):
                _fail(table, f"{where}: the same guards lead two ways; tell them apart")
            if not (second.otherwise or _exclude(table, first, second)):
                _fail(
                    table, f"{where}: both can hold; make their guards exclusive or mark the second otherwise"
                )


def _exclude(table: Table, first: Row, second: Row) -> bool:
    for group in table.exclusive:
        mine, theirs = group & set(first.guards), group & set(second.guards)
        if mine and theirs and mine != theirs:
            return True
    return False
