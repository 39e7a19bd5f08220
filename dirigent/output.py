"""How results are printed: one JSON document, a table on a terminal, or aligned plain text in a pipe."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import click

Row = Mapping[str, Any]

DIGITS_ON_TERMINAL = 10
"""Significant digits of a number in a terminal's table. JSON and piped text keep every digit."""


def rfc3339(at_ms: int) -> str:
    """A moment in UTC, to the millisecond: `2026-01-31T12:00:00.000Z`."""
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def is_moment(name: str) -> bool:
    name = name.removesuffix("_ms")
    return name == "at" or name.endswith(("_at", "_until"))


def plain(value: Any, name: str = "") -> Any:
    """The value as JSON takes it: Decimals as plain digits in text, moments as RFC 3339, null where
    there is nothing to say; at any depth."""
    if value == "" or (isinstance(value, float) and not isfinite(value)):
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int) and not isinstance(value, bool) and is_moment(name):
        return rfc3339(value) if value else None
    if isinstance(value, Mapping):
        return {_shown_name(str(key)): plain(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def _shown_name(name: str) -> str:
    return name.removesuffix("_ms") if is_moment(name) else name


def print_json(document: Any) -> None:
    click.echo(json.dumps(plain(document), indent=2))


def print_json_line(row: Row) -> None:
    click.echo(json.dumps(plain(row), separators=(",", ":")))


def print_json_stream(rows: Iterable[Row]) -> None:
    """One JSON list, written as the rows come: as many as there are, in little memory."""
    opening = "["
    for row in rows:
        click.echo(opening + "\n  " + json.dumps(plain(row)), nl=False)
        opening = ","
    click.echo("[]" if opening == "[" else "\n]")


def on_terminal() -> bool:
    return sys.stdout.isatty()


def print_rows(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool, none: str, title: str) -> None:
    """A list of like rows. `none` says in words, on stderr, that there are none."""
    if as_json:
        print_json(list(rows))
    elif not rows:
        click.echo(none, err=True)
    elif on_terminal():
        _print_rich(rows, columns, title)
    else:
        for line in aligned(
            [list(columns), *([text(row.get(name), name) for name in columns] for row in rows)]
        ):
            click.echo(line)


def print_object(values: Row, *, as_json: bool) -> None:
    """One object, a line for each value."""
    if as_json:
        print_json(values)
        return
    lines = [[name, text(value, name)] for name, value in values.items()]
    for name, line in zip(values, aligned(lines), strict=True):
        if on_terminal():
            click.echo(click.style(name, bold=True) + line[len(name) :])
        else:
            click.echo(line)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart, as wide as their widest value, with nothing at the end of a line."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def text(value: Any, name: str = "", digits: int | None = None) -> str:
    """One value in words: `-` where there is none, counts as `open 2, closed 5`."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(_shortened(value, digits), "f")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(inner, str(key), digits)}" for key, inner in value.items()) or "none"
    return str(plain(value, name))


def _shortened(value: Decimal, digits: int | None) -> Decimal:
    if digits is None or not value.is_finite() or value.adjusted() >= digits:
        return value
    shorter = round(value, digits - 1 - value.adjusted())
    return shorter.normalize() if shorter else Decimal(0)


def _print_rich(rows: Sequence[Row], columns: Sequence[str], title: str) -> None:
    """A table without its empty columns; on a terminal too narrow for it, a block of lines for each row."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = Console()
    told = [name for name in columns if any(row.get(name) not in (None, "") for row in rows)]
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in told:
        numeric = not is_moment(name) and any(
            isinstance(row.get(name), int | float | Decimal) for row in rows
        )
        table.add_column(
            _shown_name(name),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=name != "reason",
        )
    for row in rows:
        table.add_row(*(Text(_on_terminal(row.get(name), name)) for name in told))
    if Measurement.get(console, console.options.update(width=10_000), table).minimum <= console.width:
        console.print(table)
        return
    for row in rows:
        for line in aligned([[name, _on_terminal(row.get(name), name)] for name in told]):
            click.echo(line)
        click.echo()


def _on_terminal(value: Any, name: str) -> str:
    """Numbers shortened and moments to the second: the table is for eyes."""
    shown = text(value, name, DIGITS_ON_TERMINAL)
    return shown[:19].replace("T", " ") + "Z" if is_moment(name) and shown.endswith("Z") else shown
