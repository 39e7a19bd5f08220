"""The command `trade`: the daemon."""

import sys
from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, Failed, Finite, Refused, common_options, pass_common

if TYPE_CHECKING:
    from dirigent.configuration.settings import Settings


@click.command(epilog="Example: dirigent trade --duration 60")
@click.option(
    "--duration",
    "duration_s",
    metavar="SECONDS",
    type=Finite(min=0, min_open=True),
    help="Stop after it; without it it runs until Ctrl-C.",
)
@click.option("--ticks", metavar="N", type=click.IntRange(min=1), help="Stop after so many prices.")
@click.option("--live", is_flag=True, help='Trade real money; the configuration must say mode = "live" too.')
@common_options
@pass_common
def trade(common: Common, duration_s: float | None, ticks: int | None, live: bool) -> None:
    """Run the engine.

    On paper, unless the configuration and --live both say otherwise. Ctrl-C stops it within five seconds, a
    second one at once; the same command goes on where it stopped, also after a crash.
    """
    settings = common.settings()
    from dirigent import daemon, venues
    from dirigent.logging_secrets import secrets_in
    from dirigent.logging_setup import configure_logging
    from dirigent.running import Limits
    from dirigent.steering.reloading import Configuration
    from services.exchanges.paper_file import ExchangeFileError

    def apply_logging(to: "Settings") -> None:
        secrets = secrets_in(to.exchange.options)
        configure_logging(to.logging, verbosity=common.verbosity, secrets=secrets)

    apply_logging(settings)
    source = Configuration(common.settings, apply_logging)
    try:
        sys.exit(daemon.run(settings, Limits(duration_s, ticks), live=live, configuration=source))
    except venues.Refused as error:
        raise Refused(str(error)) from None
    except (ExchangeFileError, venues.Unreachable) as error:
        raise Failed(str(error)) from None
