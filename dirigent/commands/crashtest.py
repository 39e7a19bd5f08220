"""The command `crashtest`: the real process killed for real, and both books compared."""

import secrets
import sys
from typing import Any

import click

from dirigent.commands.common import Common, Failed, common_options, json_option, pass_common
from dirigent.output import print_json

_SEED_MAX = 10**6


@click.command(epilog="Example: dirigent crashtest --kills 200 --seed 7")
@click.option("--kills", type=click.IntRange(1), default=200, show_default=True, help="At random moments.")
@click.option("--seed", type=click.IntRange(0), help="Draws the moments; drawn and printed when absent.")
@json_option
@common_options
@pass_common
def crashtest(_common: Common, kills: int, seed: int | None, as_json: bool) -> None:
    """Kill the real engine again and again, and compare books.

    `dirigent trade` on the paper exchange, in a folder that goes away: SIGKILL at random moments and at each
    boundary of an order's way; the write-ahead log cut as by a power failure; two daemons at once; a database
    without its log. Exit 0 when both books agree every time, else 1.

    A seed draws when the signals come; what the engine does at that moment, no seed repeats.
    """
    from dirigent.proofs.death.campaign import Sizes, run_campaign
    from dirigent.proofs.death.daemons import DaemonFault

    drawn = secrets.randbelow(_SEED_MAX) if seed is None else seed
    if not as_json:
        click.echo(f"seed {drawn}")
    try:
        campaign = run_campaign(Sizes(kills), drawn, _show)
    except DaemonFault as fault:
        raise Failed(f"seed {drawn}: {fault}") from None
    document = {"seed": drawn, **campaign.document()}
    if as_json:
        print_json(document)
    else:
        _print(document)
    if campaign.wrong:
        raise Failed(f"{len(campaign.wrong)} differences")


def _show(progress: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{progress.ljust(40)}", nl=False, err=True)


def _print(document: dict[str, Any]) -> None:
    width = max(map(len, document))
    for name, value in document.items():
        told = ", ".join(f"{key} {_words(one)}" for key, one in value.items()) if _is_table(value) else value
        if not isinstance(told, list):
            click.echo(f"{name.ljust(width)}  {told}")
    for difference in document["wrong"]:
        click.echo(difference)
    if not document["wrong"]:
        click.echo("no order lost, none sent twice, both books agree")


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
