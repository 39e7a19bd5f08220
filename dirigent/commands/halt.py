"""The command `halt`: no entries from now on, of the whole engine or of one pair."""

from typing import Any

import click

from dirigent.commands.common import Common, common_options, pass_common
from dirigent.steering.giving import give, manner_of, manner_options, require_pair


@click.command(epilog='Example: dirigent halt BTC/USDT --reason "news at noon"')
@click.argument("symbol", required=False)
@click.option("--reason", metavar="TEXT", help="Why, for the journal and for `dirigent pairs`.")
@manner_options(money=False)
@common_options
@pass_common
def halt(common: Common, /, symbol: str | None, reason: str | None, **given: Any) -> None:
    """Stop the entries of the running engine, or of one pair.

    In force until `dirigent resume`. Positions keep their exits: stops and targets go on. Given while the engine
    is down, it holds from its next start on.
    """
    if symbol is not None:
        require_pair(common, symbol)
    give(common, "halt", {"symbol": symbol, "reason": reason}, manner_of(given))
