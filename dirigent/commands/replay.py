"""The command `replay`: recorded prices through the same engine."""

import os
import sys
from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, Refused, common_options, json_option, pass_common

if TYPE_CHECKING:
    from dirigent.configuration.settings import Settings


@click.command(epilog="Example: dirigent replay bars.csv.gz --json")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, dir_okay=False)
)
@json_option
@common_options
@pass_common
def replay(common: Common, files: tuple[str, ...], as_json: bool) -> None:
    """Run recorded prices through the engine.

    FILE holds bars or trades as CSV, also gzipped. The pairs are those of the configuration, or each
    symbol of the files by defaults when there is none. The books go to the new file of --db, or are thrown
    away; never to the trading database.
    """
    settings = _configured(common)
    from dirigent import replaying
    from dirigent.configuration.sections import LoggingSection
    from dirigent.logging_setup import configure_logging
    from services.exchanges.recording_faults import RecordingError

    configure_logging(LoggingSection(level="WARNING"), verbosity=common.verbosity)
    try:
        sys.exit(replaying.run(settings, files, database=common.database, as_json=as_json))
    except RecordingError as error:
        raise Refused(str(error)) from None


def _configured(common: Common) -> "Settings | None":
    from dirigent.configuration.layers import PREFIX
    from dirigent.configuration.settings import load_settings

    configured = common.configuration_files()
    surrounded = any(name.startswith(PREFIX) for name in os.environ)
    return load_settings(configured) if configured or surrounded else None
