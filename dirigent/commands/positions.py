"""The command `positions`: every deal from its signal to its money."""

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from dirigent.commands.listing import require_state, show
from dirigent.steering.giving import require_pair

_COLUMNS = (
    "id",
    "symbol",
    "state",
    "strategy",
    "quantity",
    "entry_price",
    "exit_price",
    "dust",
    "realized_pnl",
    "opened_at",
    "closed_at",
    "exit_reason",
)


@click.command(epilog="Example: dirigent positions --state open")
@click.option("--state", metavar="STATE", help="Only those in this state, such as open or closed.")
@click.option("--symbol", metavar="SYMBOL", help="Only those of this market, such as BTC/USDT.")
@json_option
@common_options
@pass_common
def positions(common: Common, as_json: bool, state: str | None, symbol: str | None) -> None:
    """List the positions.

    Works while the engine runs. Quantities are in the base coin, prices and profit in the quote currency.
    """
    from fsm.position import POSITION
    from persistence import queries

    require_state(state, POSITION)
    found = queries.positions(common.database_path(), state=state, symbol=symbol)
    if not found and symbol is not None:
        require_pair(common, symbol)
    show(found, _COLUMNS, "positions", as_json=as_json)
