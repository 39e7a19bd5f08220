"""The command `explore`: every joint state of the machines that an exchange and crashes can bring about."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, Failed, Refused, common_options, json_option, pass_common

if TYPE_CHECKING:
    from dirigent.proofs.exploration.findings import Findings
    from dirigent.proofs.exploration.scenarios import Scenario

_WRITTEN = "exploration-breach.json"


@click.command(epilog="Example: dirigent explore --intents 2")
@click.option(
    "--intents", type=click.IntRange(1, 4), default=2, show_default=True, help="Deals under way at once."
)
@click.option(
    "--crashes",
    type=click.IntRange(0),
    help="Deaths while one deal is under way. Default, and with several: any number.",
)
@click.option(
    "--reports", type=click.IntRange(1), help="An order's last words that may still come. Default: all."
)
@click.option(
    "--units", type=click.IntRange(1, 3), default=2, show_default=True, help="Fills that complete an entry."
)
@click.option("--dust", is_flag=True, help="A single unit is too little to be sold.")
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_WRITTEN,
    show_default=True,
    metavar="FILE",
    help="Where the shortest way to a broken claim goes.",
)
@click.option(
    "--play",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Play such a file step by step instead.",
)
@json_option
@common_options
@pass_common
def explore(
    _common: Common,
    intents: int,
    crashes: int | None,
    reports: int | None,
    units: int,
    dust: bool,
    write: Path,
    play: Path | None,
    as_json: bool,
) -> None:
    """Search every joint state of the machines.

    The real tables and services beside one exchange that does anything an exchange may, with a death at any
    boundary, breadth first to the fixpoint. Exit 0 when every claim holds in every state, else 1.
    """
    from dirigent.proofs.exploration import exploring, scenarios
    from dirigent.proofs.exploration.bounds import Bounds

    if play is not None:
        try:
            _play(scenarios.read(play), as_json)
        except scenarios.ScenarioError as error:
            raise Refused(str(error)) from None
        return
    bounds = Bounds(intents, crashes, reports, amount=units, amount_min=2 if dust else 1)
    findings = exploring.explore(bounds, None if as_json else _tell_progress)
    click.echo(json.dumps(_document(findings), indent=2) if as_json else _told(findings))
    if findings.breach is not None:
        scenarios.scenario_of(findings).write(write)
        raise Failed(f"{findings.breach.claim}\nplay it again: dirigent explore --play {write}")


def _tell_progress(worlds: int, waiting: int, depth: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{worlds:,} states, {waiting:,} to expand, depth {depth}   ", err=True, nl=False)


def _document(findings: "Findings") -> dict[str, object]:
    breach = findings.breach
    return {
        "bounds": findings.bounds._asdict(),
        "states": findings.worlds,
        "edges": findings.edges,
        "depth": findings.depth,
        "deal_states": findings.deals,
        "turns_run": findings.turns,
        "moves_cut": findings.cut,
        "rows_taken": len(findings.rows_taken),
        "rows_never_taken": [" ".join(row) for row in findings.rows_never_taken],
        "seconds": round(findings.seconds, 3),
        "fixpoint": findings.is_complete,
        "breach": None if breach is None else {"claim": breach.claim, "steps": list(breach.labels)},
    }


def _told(findings: "Findings") -> str:
    lines = [
        f"{findings.worlds:,} states, {findings.edges:,} edges, depth {findings.depth}, {findings.seconds:.1f} s",
        f"{findings.deals:,} states of one deal, {findings.turns:,} turns of the engine run",
        f"{findings.cut:,} moves cut at the bound of unsettled orders",
        f"{len(findings.rows_taken)} table rows taken; never taken: {len(findings.rows_never_taken)}",
        *(f"  {' '.join(row)}" for row in findings.rows_never_taken),
    ]
    if findings.breach is None:
        return "\n".join([*lines, "fixpoint reached; every claim holds in every state"])
    steps = (f"  {number}. {label}" for number, label in enumerate(findings.breach.labels, 1))
    return "\n".join([*lines, f"broken: {findings.breach.claim}", *steps])


def _play(scenario: "Scenario", as_json: bool) -> None:
    from dirigent.proofs.exploration import scenarios

    played = []
    for number, step in enumerate(scenarios.play(scenario), 1):
        played.append(step)
        if not as_json:
            click.echo(f"{number}. {step.step}")
            click.echo(
                f"   pair {step.pair}, permission {step.permission}; {'; '.join(step.deals) or 'no deal'}"
            )
    breach = played[-1].breach if played else ""
    if as_json:
        steps = [{"step": p.step, "pair": p.pair, "deals": p.deals, "breach": p.breach} for p in played]
        click.echo(json.dumps({"claim": scenario.claim, "breach": breach, "steps": steps}, indent=2))
    if breach:
        raise Failed(f"broken: {breach}")
    if scenarios.is_trap(scenario):
        click.echo("its claim is about all that can follow: search again to see whether it holds", err=True)
    elif not as_json:
        click.echo(f"every step could be played and no claim broke; it was: {scenario.claim}")
