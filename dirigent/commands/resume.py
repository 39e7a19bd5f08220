"""The command `resume`: entries are permitted again."""

from typing import Any

import click

from dirigent.commands.common import Common, common_options, pass_common
from dirigent.steering.giving import give, manner_of, manner_options, require_pair


@click.command(epilog="Example: dirigent resume BTC/USDT")
@click.argument("symbol", metavar="[SYMBOL|all]", required=False)
@manner_options(money=False)
@common_options
@pass_common
def resume(common: Common, /, symbol: str | None, **given: Any) -> None:
    """Let the engine, or a pair, enter again.

    `all` is the engine and every pair. It lifts what is stopped at this moment. What an anomaly or a person stops
    between now and the engine's answer stays stopped.
    """
    from persistence import queries

    if symbol is not None and symbol != "all":
        require_pair(common, symbol)
    stopped = queries.permission_versions(common.database_path())
    give(common, "resume", {"symbol": symbol, "versions": stopped}, manner_of(given))
