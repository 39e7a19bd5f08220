"""The command `force-enter`: a person's own buy signal."""

from typing import Any

import click

from dirigent.commands.common import Common, common_options, pass_common
from dirigent.steering.giving import confirm, give, manner_of, manner_options, require_pair


@click.command(name="force-enter", epilog="Example: dirigent force-enter BTC/USDT --yes")
@click.argument("symbol")
@click.option("--reason", metavar="TEXT", help="Why, for the journal.")
@manner_options(money=True, life_s=60)
@common_options
@pass_common
def force_enter(common: Common, /, symbol: str, reason: str | None, **given: Any) -> None:
    """Buy now, as far as the risk checks allow.

    It is a buy signal like a strategy's: permission, cool-down, limits and balance all hold, and a refusal says
    with numbers which of them did not.
    """
    require_pair(common, symbol)
    manner = manner_of(given)
    confirm(manner, f"Buy {symbol} for one deal's quota?")
    give(common, "force-enter", {"symbol": symbol, "reason": reason}, manner)
