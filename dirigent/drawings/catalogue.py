"""Every machine in every format, as a text or as the files under `diagrams/`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dirigent.drawings import dot, markdown, mermaid
from dirigent.drawings.model import Drawing, drawing_of
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.table import Table

WRITE_COMMAND = "dirigent diagram --write"

TABLES: Mapping[str, Table] = {table.name: table for table in (PAIR, POSITION, ORDER, PERMISSION)}


def _svg(drawing: Drawing) -> str:
    from dirigent.drawings import svg

    return svg.render(drawing)


_RENDERERS: Mapping[str, Callable[[Drawing], str]] = {
    "mermaid": mermaid.render,
    "dot": dot.render,
    "svg": _svg,
    "markdown": markdown.render,
}
FORMATS = tuple(_RENDERERS)
_SUFFIXES = {"mermaid": "mmd", "dot": "dot", "svg": "svg", "markdown": "md"}


def draw(name: str, format: str, counts: Mapping[str, int] | None = None) -> str:
    """One machine in one format. `counts` marks the states that hold live subjects, by state.

    Raises ValueError for a machine, a format or a state that does not exist.
    """
    if name not in TABLES:
        raise ValueError(f"there is no machine {name!r}; there are {', '.join(TABLES)}")
    if format not in _RENDERERS:
        raise ValueError(f"there is no format {format!r}; there are {', '.join(FORMATS)}")
    return _RENDERERS[format](drawing_of(TABLES[name], counts))


def write_all(directory: Path) -> list[Path]:
    """Writes every drawing and the index; returns the files that changed."""
    directory.mkdir(parents=True, exist_ok=True)
    behind = _behind(directory)
    for path, text in behind.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(behind)


def stale(directory: Path) -> list[Path]:
    """The files that are missing or differ from what the tables say now."""
    return list(_behind(directory))


def _behind(directory: Path) -> dict[Path, str]:
    return {
        path: text
        for file, text in _texts().items()
        if not ((path := directory / file).is_file() and path.read_bytes() == text.encode())
    }


def _texts() -> dict[str, str]:
    texts = {f"{name}.{_SUFFIXES[format]}": draw(name, format) for name in TABLES for format in FORMATS}
    return {"README.md": _index(), **texts}


def _index() -> str:
    lines = [
        "# The machines",
        "",
        f"Generated from the tables in `fsm/` by `{WRITE_COMMAND}`. "
        "Do not edit: change the table and run it again.",
        "",
        "| machine | states | rows | definition | files |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, table in TABLES.items():
        files = ", ".join(f"[{format}]({name}.{_SUFFIXES[format]})" for format in FORMATS)
        lines.append(f"| {name} | {len(table.states)} | {len(table.rows)} | `{table.hash}` | {files} |")
    for name in TABLES:
        lines += ["", f"## {name}", "", f"![The {name} machine]({name}.svg)"]
    return "\n".join(lines) + "\n"
