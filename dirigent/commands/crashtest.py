"""The command `crashtest`: the real process killed for real, and both books compared."""

import secrets
import sys
from collections.abc import Callable
from typing import Any, Protocol

import click

from dirigent.commands.common import Common, Failed, Refused, common_options, json_option, pass_common
from dirigent.output import print_json

_SEED_MAX = 10**6
_PAPER, _REHEARSAL = "paper", "rehearsal"
_KILLS = {_PAPER: 200, _REHEARSAL: 50}


class _Proved(Protocol):
    @property
    def wrong(self) -> list[str]: ...

    def document(self) -> dict[str, Any]: ...


@click.command(epilog="Example: dirigent crashtest --exchange rehearsal --kills 50 --seed 7")
@click.option(
    "--exchange",
    type=click.Choice([_PAPER, _REHEARSAL]),
    default=_PAPER,
    show_default=True,
    help="rehearsal: through ccxt, over HTTP and websockets.",
)
@click.option(
    "--kills",
    type=click.IntRange(0),
    help="At random moments; 200 on paper, 50 on the rehearsal exchange, where 0 leaves them out.",
)
@click.option(
    "--orders", type=click.IntRange(0), help="On the rehearsal exchange: so many under faults. 1000."
)
@click.option("--soak", "soak_s", type=click.IntRange(0), help="There too: so many seconds of faults. 720.")
@click.option("--seed", type=click.IntRange(0), help="Draws the moments; drawn and printed when absent.")
@json_option
@common_options
@pass_common
def crashtest(
    _common: Common,
    exchange: str,
    kills: int | None,
    orders: int | None,
    soak_s: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Kill the real engine again and again, and compare books.

    `dirigent trade` in a folder that goes away. On the paper exchange: SIGKILL at random moments and at each
    boundary of an order's way; the write-ahead log cut as by a power failure; two daemons at once; a database
    without its log. On the rehearsal exchange, with its faults: SIGKILL at random moments and on the wire;
    orders and hours of faults without a death. Exit 0 when both books agree every time, else 1.

    A seed draws when the signals come; what the engine does at that moment, no seed repeats.
    """
    from dirigent.proofs.death.daemons import DaemonFault

    kills = _KILLS[exchange] if kills is None else kills
    prove = _on_paper(kills, orders, soak_s) if exchange == _PAPER else _on_rehearsal(kills, orders, soak_s)
    drawn = secrets.randbelow(_SEED_MAX) if seed is None else seed
    if not as_json:
        click.echo(f"seed {drawn}")
    try:
        campaign = prove(drawn)
    except DaemonFault as fault:
        raise Failed(f"seed {drawn}: {fault}") from None
    document = {"seed": drawn, **campaign.document()}
    if as_json:
        print_json(document)
    else:
        _print(document)
    if campaign.wrong:
        raise Failed(f"{len(campaign.wrong)} differences")


def _on_paper(kills: int, orders: int | None, soak_s: int | None) -> Callable[[int], _Proved]:
    from dirigent.proofs.death.campaign import Sizes, run_campaign

    if orders is not None or soak_s is not None:
        raise Refused("--orders and --soak are for the rehearsal exchange; add --exchange rehearsal")
    if not kills:
        raise Refused("--kills 0 leaves nothing to prove on the paper exchange; give at least 1")
    return lambda seed: run_campaign(Sizes(kills), seed, _show)


def _on_rehearsal(kills: int, orders: int | None, soak_s: int | None) -> Callable[[int], _Proved]:
    from dirigent.proofs.rehearsed.campaign import Sizes, run_campaign

    usual = Sizes()
    sizes = Sizes(
        kills, usual.orders if orders is None else orders, usual.soak_s if soak_s is None else soak_s
    )
    if not (sizes.kills or sizes.orders or sizes.soak_s):
        raise Refused("--kills, --orders and --soak are all 0; leave one of them out")
    return lambda seed: run_campaign(sizes, seed, _show)


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
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {one}" for key, one in value.items()) + ")"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
