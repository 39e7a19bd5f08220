"""A table as a plain model that every renderer draws: boxes, numbered moves, and the words they use."""

from collections.abc import Mapping
from dataclasses import dataclass

from fsm.table import Table


@dataclass(frozen=True, slots=True)
class Node:
    """One state. `live` is the number of subjects that are in it now; None where nobody counted."""

    name: str
    meaning: str
    initial: bool
    final: bool
    deadline: str
    waits_on: str
    live: int | None

    @property
    def wait(self) -> str:
        """What bounds the wait, in words; empty where nothing is waited for."""
        if self.deadline:
            return f"deadline: {self.deadline}"
        return f"waits on: {self.waits_on}" if self.waits_on else ""


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table. `number` is its place there, from 1, and names it in every drawing."""

    number: int
    source: str
    event: str
    target: str
    guards: tuple[str, ...]
    effects: tuple[str, ...]
    otherwise: bool
    why: str

    @property
    def condition(self) -> str:
        """The guards as one expression; `otherwise` marks a row that relies on the rows above it."""
        guards = " and ".join(self.guards)
        if not self.otherwise:
            return guards
        return f"otherwise if {guards}" if guards else "otherwise"

    @property
    def label(self) -> str:
        """`number event [guards] / effects`: names only, so that it is valid in every drawing language."""
        guards = f" [{self.condition}]" if self.condition else ""
        effects = f" / {', '.join(self.effects)}" if self.effects else ""
        return f"{self.number} {self.event}{guards}{effects}"


@dataclass(frozen=True, slots=True)
class Edge:
    """All moves from one state to another (or the same), in the order of the table."""

    source: str
    target: str
    moves: tuple[Move, ...]

    @property
    def is_loop(self) -> bool:
        return self.source == self.target

    @property
    def numbers_by_event(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Each event once, with the numbers of its moves."""
        found: dict[str, list[int]] = {}
        for move in self.moves:
            found.setdefault(move.event, []).append(move.number)
        return tuple((event, tuple(numbers)) for event, numbers in found.items())


@dataclass(frozen=True, slots=True)
class IgnoredEvent:
    event: str
    sources: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that a reviewer of a machine has to see."""

    name: str
    definition: str
    """The hash that every journal entry of this definition carries."""
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    moves: tuple[Move, ...]
    ignored: tuple[IgnoredEvent, ...]
    guards: tuple[tuple[str, str], ...]
    """Name and meaning, in the order of the table; so are the effects."""
    effects: tuple[tuple[str, str], ...]

    @property
    def title(self) -> str:
        return f"{self.name} machine, definition {self.definition}"

    @property
    def initial(self) -> str:
        return next(node.name for node in self.nodes if node.initial)

    @property
    def is_live(self) -> bool:
        return any(node.live is not None for node in self.nodes)


def drawing_of(table: Table, counts: Mapping[str, int] | None = None) -> Drawing:
    """The model of a table. `counts` gives the live subjects by state; a state that it leaves out has none.

    Raises ValueError when `counts` names a state that the table lacks.
    """
    if unknown := sorted(set(counts or ()) - set(table.by_name)):
        raise ValueError(
            f"the {table.name} machine has no state {', '.join(unknown)}; it has {', '.join(table.by_name)}"
        )
    moves = tuple(
        Move(number, row.source, row.event, row.target, row.guards, row.effects, row.otherwise, row.why)
        for number, row in enumerate(table.rows, start=1)
    )
    return Drawing(
        name=table.name,
        definition=table.hash,
        nodes=tuple(
            Node(
                name=state.name,
                meaning=state.meaning,
                initial=state.initial,
                final=state.final,
                deadline=state.deadline,
                waits_on=state.waits_on,
                live=None if counts is None else counts.get(state.name, 0),
            )
            for state in table.states
        ),
        edges=_grouped(moves),
        moves=moves,
        ignored=tuple(IgnoredEvent(i.event, i.sources, i.why) for i in table.ignored),
        guards=tuple(table.guards.items()),
        effects=tuple(table.effects.items()),
    )


def _grouped(moves: tuple[Move, ...]) -> tuple[Edge, ...]:
    pairs: dict[tuple[str, str], list[Move]] = {}
    for move in moves:
        pairs.setdefault((move.source, move.target), []).append(move)
    return tuple(Edge(source, target, tuple(group)) for (source, target), group in pairs.items())
