"""The command `simulate`: the whole engine against a faulty exchange, disk and life, in virtual time."""

import secrets
import sys
from typing import TYPE_CHECKING, Any

import click

from dirigent.commands.common import common_options, json_option, pass_common
from dirigent.output import print_json

if TYPE_CHECKING:
    from dirigent.commands.common import Common
    from dirigent.proofs.simulation.campaign import Totals

_SEED_MAX = 10**9
_STORY_LINES = 400


def _kinds(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    from dirigent.proofs.simulation.faults import PROBABILITIES

    kinds = tuple(kind for kind in value.split(",") if kind)
    for kind in kinds:
        if kind not in PROBABILITIES:
            raise click.BadParameter(f"no such fault {kind!r}; choose of {', '.join(PROBABILITIES)}")
    return kinds


@click.command(epilog="Example: dirigent simulate --seeds 1000 --ops 300")
@click.option("--seeds", type=click.IntRange(1), default=100, show_default=True, help="So many histories.")
@click.option(
    "--seed", type=click.IntRange(0), help="The first seed, counted up; drawn and printed when absent."
)
@click.option("--ops", type=click.IntRange(1), default=300, show_default=True, help="Operations a history.")
@click.option("--without", default="", callback=_kinds, help="Kinds of faults to leave out, by comma.")
@click.option("--story", is_flag=True, help="Tell what happened in the first history.")
@json_option
@common_options
@pass_common
def simulate(
    _common: "Common",
    seeds: int,
    seed: int | None,
    ops: int,
    without: tuple[str, ...],
    story: bool,
    as_json: bool,
) -> None:
    """Prove the engine against faults, by seed.

    The real engine with its real store runs in virtual time against a simulated exchange, a simulated disk and
    a process that may die at any moment. One seed is one history, bit for bit. Afterwards its books must be the
    exchange's. Exit 0, or 1 when something was violated; then the shortest such story is told.
    """
    from dirigent.proofs.simulation.campaign import run_campaign
    from dirigent.proofs.simulation.faults import FaultPlan

    first = secrets.randbelow(_SEED_MAX) if seed is None else seed
    if not as_json:
        click.echo(f"seeds {first} to {first + seeds - 1}, {ops} operations each")
    if story:
        _tell(first, ops, without)
    show = _progress(seeds, hidden=as_json)
    totals = run_campaign(range(first, first + seeds), ops, plan=FaultPlan(without), after_each=show)
    document = {"first_seed": first, "operations_a_seed": ops, **totals.document()}
    shrunk = _shrunk(totals, ops) if totals.violated and not without and not story else None
    if shrunk is not None:
        document["shortest"] = {"command": shrunk.command, "violations": shrunk.result.violations}
    if as_json:
        print_json(document)
    else:
        _print(document)
        if shrunk is not None:
            click.echo("\n".join(shrunk.result.story[-_STORY_LINES:]))
            click.echo(f"repeat it: {shrunk.command}")
    sys.exit(1 if totals.violated else 0)


def _tell(seed: int, ops: int, without: tuple[str, ...]) -> None:
    from dirigent.proofs.simulation.faults import FaultPlan
    from dirigent.proofs.simulation.history import run_history
    from dirigent.proofs.simulation.scratch import Scratch

    with Scratch() as scratch:
        click.echo("\n".join(run_history(seed, ops, scratch, plan=FaultPlan(without), telling=True).story))


def _shrunk(totals: "Totals", ops: int) -> Any:
    from dirigent.proofs.simulation.scratch import Scratch
    from dirigent.proofs.simulation.shrinking import shrink

    with Scratch() as scratch:
        return shrink(totals.failures[0].seed, ops, scratch)


def _progress(seeds: int, *, hidden: bool) -> Any:
    def show(totals: "Totals") -> bool:
        if not hidden and sys.stderr.isatty():
            click.echo(
                f"\r{totals.histories} of {seeds} seeds, {totals.violated} violated", nl=False, err=True
            )
        return True

    return show


def _print(document: dict[str, Any]) -> None:
    plain = {name: value for name, value in document.items() if not isinstance(value, dict | list)}
    width = max(map(len, plain))
    for name, value in plain.items():
        click.echo(f"{name.ljust(width)}  {value}")
    for title in ("operations_by_kind", "faults_by_kind"):
        click.echo(f"{title}: " + ", ".join(f"{name} {number}" for name, number in document[title].items()))
    for title in ("faults_never_injected", "rows_never_taken"):
        for each in document[title]:
            click.echo(f"{title}: {each}")
    for each in document["violations"]:
        click.echo(f"VIOLATED by seed {each['seed']}: " + "; ".join(each["violations"][:5]))
