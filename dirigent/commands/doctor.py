"""The command `doctor`: whether this configuration, this machine and these keys can trade at the exchange."""

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, Refused, common_options, json_option, pass_common

if TYPE_CHECKING:
    from dirigent.configuration.settings import Settings
    from dirigent.doctor.findings import Findings


_COLUMNS = (
    "symbol",
    "price",
    "amount_step",
    "price_step",
    "amount_min",
    "cost_min",
    "price_min",
    "price_max",
    "deal_quota",
)


@click.command(epilog="Example: dirigent -c live.toml doctor")
@json_option
@common_options
@pass_common
def doctor(common: Common, as_json: bool) -> None:
    """Examine exchange, keys and clock; change nothing.

    What the exchange can do and whether that suffices, how far away it is, whose clock is wrong, what the key
    may do, and whether the configured deals fit their markets. Works beside a running engine. Exit 0 when it
    can trade, warnings included; 1 with a fault; 2 when the configuration is refused.
    """
    from dirigent.logging_secrets import masked

    settings = common.settings()
    findings = _examined(settings, common.verbosity)
    document = masked(asdict(findings))
    if as_json:
        from dirigent.output import print_json

        print_json({**document, "can_trade": not findings.faults})
    else:
        _tell(findings)
    sys.exit(1 if findings.faults else 0)


def _examined(settings: "Settings", verbosity: int) -> "Findings":
    """Paper costs no import of the exchanges' library."""
    from loguru import logger

    from dirigent import venues
    from dirigent.logging_secrets import secrets_in
    from dirigent.logging_setup import configure_logging

    section = settings.logging.model_copy(update={"level": "ERROR", "file": None})
    configure_logging(
        section, verbosity=verbosity, terminal=verbosity > 0, secrets=secrets_in(settings.exchange.options)
    )
    if not verbosity:
        logger.remove()  # what is tried here and fails is told as a finding
    if settings.exchange.id == venues.PAPER:
        from dirigent.doctor.paper_examination import examine_paper

        return examine_paper(settings)
    try:
        venues.refuse_exchange(settings.model_copy(update={"mode": "paper"}))
        from dirigent.doctor.examination import examine_exchange

        return asyncio.run(examine_exchange(settings))
    except venues.Refused as error:
        raise Refused(str(error)) from None


def _tell(findings: "Findings") -> None:
    from dirigent.logging_secrets import masked_text
    from dirigent.output import print_object, print_rows

    click.echo(f"{findings.exchange}, {findings.mode} trading")
    if findings.capabilities:
        click.echo("\ncapabilities")
        told = {
            name: ", ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in findings.capabilities.items()
        }
        print_object(told, as_json=False)
    if findings.markets:
        click.echo()
        print_rows(findings.markets, _COLUMNS, as_json=False, none="no markets", title="markets")
    click.echo()
    for check in findings.checks:
        click.echo(masked_text(f"{check.verdict:<8} {check.name}: {check.found}"))
        if check.remedy:
            click.echo(f"{'':<8} {check.remedy}")
    faults = len(findings.faults)
    count = f"{faults} fault{'' if faults == 1 else 's'}"
    click.echo(f"\nit cannot trade: {count}" if faults else "\nit can trade")
