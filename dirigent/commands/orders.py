"""The command `orders`: every order, sent or about to be."""

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from dirigent.commands.listing import require_state, show
from dirigent.steering.giving import require_pair

_COLUMNS = (
    "client_order_id",
    "exchange_order_id",
    "position_id",
    "symbol",
    "side",
    "type",
    "state",
    "amount",
    "price",
    "filled",
    "average",
    "fee",
)


@click.command(epilog="Example: dirigent orders --state working")
@click.option("--state", metavar="STATE", help="Only those in this state, such as working or unknown.")
@click.option("--symbol", metavar="SYMBOL", help="Only those of this market, such as BTC/USDT.")
@json_option
@common_options
@pass_common
def orders(common: Common, as_json: bool, state: str | None, symbol: str | None) -> None:
    """List the orders.

    Works while the engine runs. Amounts are in the base coin, prices in the quote currency.
    """
    from fsm.order import ORDER
    from persistence import queries

    require_state(state, ORDER)
    found = queries.orders(common.database_path(), state=state, symbol=symbol)
    if not found and symbol is not None:
        require_pair(common, symbol)
    show(found, _COLUMNS, "orders", as_json=as_json)
