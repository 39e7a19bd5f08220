"""The command `fills`: every trade as the exchange reported it."""

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from dirigent.commands.listing import show
from dirigent.steering.giving import require_pair

_COLUMNS = ("at", "id", "client_order_id", "symbol", "side", "amount", "price", "fee", "fee_currency")


@click.command(epilog="Example: dirigent fills --symbol BTC/USDT --json")
@click.option("--symbol", metavar="SYMBOL", help="Only those of this market, such as BTC/USDT.")
@json_option
@common_options
@pass_common
def fills(common: Common, as_json: bool, symbol: str | None) -> None:
    """List the fills.

    Works while the engine runs. Amounts are in the base coin, prices in the quote currency.
    """
    from persistence import queries

    found = queries.fills(common.database_path(), symbol=symbol)
    if not found and symbol is not None:
        require_pair(common, symbol)
    show(found, _COLUMNS, "fills", as_json=as_json)
