"""The command `cancel-order`: an order that rests at the exchange is withdrawn."""

from typing import Any

import click

from dirigent.commands.common import Common, Refused, common_options, pass_common
from dirigent.steering.giving import confirm, give, manner_of, manner_options, require_known


@click.command(name="cancel-order", epilog="Example: dirigent cancel-order agc56000003e0001")
@click.argument("order")
@manner_options(money=True, life_s=3600)
@common_options
@pass_common
def cancel_order(common: Common, /, order: str, **given: Any) -> None:
    """Cancel an order that rests at the exchange.

    A cancelled entry is not placed again: what filled is the position. A cancelled exit is placed again after a
    pause, because a position must be able to leave.
    """
    from fsm.order import ORDER
    from persistence import queries

    known = {row["client_order_id"]: row for row in queries.orders(common.database_path())}
    require_known(order, list(known), "order")
    row = known[order]
    if row["state"] in ORDER.finals:
        raise Refused(f"order {order} is {row['state']}: it has ended")
    manner = manner_of(given)
    confirm(manner, f"Cancel the order {order}, which {row['side']}s {row['amount']:f} of {row['symbol']}?")
    give(common, "cancel-order", {"id": order}, manner)
