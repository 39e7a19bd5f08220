"""A machine as Markdown tables: what a reviewer reads line by line."""

from collections.abc import Iterable

from dirigent.drawings.model import Drawing, Move, Node


def render(drawing: Drawing) -> str:
    """States, rows, the vocabulary of guards and effects, and what is ignored and why."""
    parts = [
        f"# The {drawing.name} machine",
        f"Definition `{drawing.definition}`: {len(drawing.nodes)} states, {len(drawing.moves)} rows. "
        "Of the rows of one state and event the first whose guards all hold is taken; a row marked "
        "*otherwise* relies on the rows above it having been refused.",
        "## States",
        _states(drawing),
        "## Rows",
        _table(
            ("#", "from", "event", "to", "guards", "effects", "why"),
            map(_row, drawing.moves),
        ),
    ]
    if drawing.guards:
        parts += ["## Guards", _vocabulary(drawing.guards)]
    if drawing.effects:
        parts += ["## Effects", _vocabulary(drawing.effects)]
    if drawing.ignored:
        parts += [
            "## Ignored events",
            "They may arrive in these states and move nothing. "
            "Any other event that no row allows is an anomaly.",
            _table(
                ("event", "in", "because"),
                ((f"`{i.event}`", _names(i.sources), _text(i.why)) for i in drawing.ignored),
            ),
        ]
    return "\n\n".join(parts) + "\n"


def _states(drawing: Drawing) -> str:
    head: tuple[str, ...] = ("state", "meaning", "kind", "waits")
    if drawing.is_live:
        head += ("here now",)
    return _table(head, (_state(node, drawing.is_live) for node in drawing.nodes))


def _state(node: Node, is_live: bool) -> tuple[str, ...]:
    kind = "initial" if node.initial else "final" if node.final else ""
    cells = (f"`{node.name}`", _text(node.meaning), kind, _text(node.wait))
    if not is_live:
        return cells
    return (*cells, f"**{node.live}**" if node.live else "0")


def _row(move: Move) -> tuple[str, ...]:
    guards = _names(move.guards)
    if move.otherwise:
        guards = f"*otherwise* {guards}".rstrip()
    return (
        str(move.number),
        f"`{move.source}`",
        f"`{move.event}`",
        f"`{move.target}`",
        guards,
        _names(move.effects),
        _text(move.why),
    )


def _vocabulary(words: tuple[tuple[str, str], ...]) -> str:
    return _table(("name", "meaning"), ((f"`{name}`", _text(meaning)) for name, meaning in words))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _text(words: str) -> str:
    return words.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
