"""The command `diagram`: the executed tables as drawings."""

from pathlib import Path

import click

from dirigent.commands.common import Common, Refused, common_options, pass_common

_MACHINES = ("pair", "position", "order", "permission")
_FORMATS = ("mermaid", "dot", "svg", "markdown")


@click.command(epilog="Example: dirigent diagram position --format svg > position.svg")
@click.argument("machine", required=False, type=click.Choice(_MACHINES))
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    default="mermaid",
    show_default=True,
    help="How to draw.",
)
@click.option("--live", is_flag=True, help="Mark the states of today with their counts from the store.")
@click.option("--write", is_flag=True, help="Refresh the drawings in diagrams/ instead of printing.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where --write puts them. Default: diagrams/ of the checkout.",
)
@common_options
@pass_common
def diagram(
    common: Common, machine: str | None, format_: str, live: bool, write: bool, directory: Path | None
) -> None:
    """Draw the state machines.

    MACHINE is one of pair, position, order, permission; all of them when none is named. Drawn from the
    tables that are executed; without --live no configuration and no store is needed.
    """
    from dirigent.drawings import catalogue

    if write:
        if machine or live:
            raise Refused(
                "--write refreshes every drawing, without counts; leave the machine and --live away"
            )
        for path in catalogue.write_all(directory or _checkout() / "diagrams"):
            click.echo(path)
        return
    if format_ == "svg" and machine is None:
        raise Refused(f"an SVG is one picture; name one of {', '.join(_MACHINES)}")
    counts = _live_counts(common) if live else {}
    drawings = [
        catalogue.draw(name, format_, counts.get(name, {}) if live else None)
        for name in ([machine] if machine else _MACHINES)
    ]
    click.echo("\n".join(drawing.rstrip("\n") + "\n" for drawing in drawings), nl=False)


def _live_counts(common: Common) -> dict[str, dict[str, int]]:
    from persistence import queries

    return queries.state_counts(common.database_path())


def _checkout() -> Path:
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").exists():
        raise Refused("this installation has no checkout beside it; name a --directory")
    return root
