"""The command `stop-entry`: positions leave as they would, and nothing enters."""

from typing import Any

import click

from dirigent.commands.common import Common, common_options, pass_common
from dirigent.steering.giving import give, manner_of, manner_options, require_pair


@click.command(name="stop-entry", epilog="Example: dirigent stop-entry ETH/USDT")
@click.argument("symbol", required=False)
@click.option("--reason", metavar="TEXT", help="Why, for the journal and for `dirigent pairs`.")
@manner_options(money=False)
@common_options
@pass_common
def stop_entry(common: Common, /, symbol: str | None, reason: str | None, **given: Any) -> None:
    """Let positions leave and nothing enter.

    In the whole engine or in one pair, until `dirigent resume`. As `halt`, but said to be planned: the state is
    exits_only, and an anomaly may still halt it.
    """
    if symbol is not None:
        require_pair(common, symbol)
    give(common, "stop-entry", {"symbol": symbol, "reason": reason}, manner_of(given))
