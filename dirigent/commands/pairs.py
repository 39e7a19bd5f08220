"""The command `pairs`: every traded pair, its state, its price and why it does not trade."""

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from dirigent.commands.listing import show

_COLUMNS = ("symbol", "state", "permission", "strategy", "last_price", "last_tick_at", "reason")


@click.command(epilog="Example: dirigent pairs --json")
@json_option
@common_options
@pass_common
def pairs(common: Common, as_json: bool) -> None:
    """List the traded pairs.

    Works while the engine runs. The reason says why a pair does not trade now.
    """
    from persistence import queries

    show(queries.pairs(common.database_path()), _COLUMNS, "pairs", as_json=as_json)
