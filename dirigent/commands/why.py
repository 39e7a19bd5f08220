"""The command `why`: why a pair does not trade, now or at a past moment."""

import time
from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from dirigent.explaining.moments import wish

if TYPE_CHECKING:
    from persistence.past import Wish


@click.command(epilog="Example: dirigent why BTC/USDT --at -10m")
@click.argument("symbol", metavar="SYMBOL")
@click.option(
    "--at",
    "at",
    metavar="T",
    callback=wish,
    help="At a past moment: RFC 3339, how long ago (-10m, -2h), or the number of a journal entry.",
)
@json_option
@common_options
@pass_common
def why(common: Common, as_json: bool, symbol: str, at: "Wish | None") -> None:
    """Say why a pair does not trade, and what would have to change.

    Each guard of an entry and each risk check with what it compared, since when its verdict is so, and how often
    it refused in the last hour. Works while the engine runs; the verdicts are those of its last heartbeat. What is
    no longer known of a past moment is said.
    """
    from dirigent.explaining import why as explained
    from dirigent.explaining.why_told import tell
    from dirigent.output import print_json
    from persistence.explanations import standpoint

    document = explained.document(standpoint(common.database_path(), symbol, int(time.time() * 1000), at))
    if as_json:
        print_json(document)
    else:
        tell(document)
