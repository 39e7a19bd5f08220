"""The command `reload`: the running engine reads its configuration again."""

from typing import Any

import click

from dirigent.commands.common import Common, common_options, pass_common
from dirigent.steering.giving import give, manner_of, manner_options


@click.command(epilog="Example: dirigent reload")
@manner_options(money=False, life_s=60)
@common_options
@pass_common
def reload(common: Common, /, **given: Any) -> None:
    """Read the configuration again while the engine runs.

    It reads the files it was started with. Limits, the rules of further deals, strategies, pairs and the logging
    change at once; what waits for a restart is named. With a mistake in the configuration nothing changes.
    """
    give(common, "reload", {}, manner_of(given))
