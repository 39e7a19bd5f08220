"""The command `force-exit`: positions are sold at the market now."""

from typing import Any

import click

from dirigent.commands.common import Common, Refused, common_options, pass_common
from dirigent.steering.giving import confirm, give, manner_of, manner_options, require_known


@click.command(name="force-exit", epilog="Example: dirigent force-exit all --yes")
@click.argument("position", metavar="POSITION|all")
@manner_options(money=True, life_s=3600)
@common_options
@pass_common
def force_exit(common: Common, /, position: str, **given: Any) -> None:
    """Sell a position now, or all of them.

    A position whose entry is still in flight is told to leave too: the entry is withdrawn first. Entries go on;
    `dirigent halt` stops them.
    """
    from fsm.position import POSITION
    from persistence import queries

    known = {row["id"]: row for row in queries.positions(common.database_path())}
    living = {identity: row for identity, row in known.items() if row["state"] not in POSITION.finals}
    if position != "all":
        require_known(position, list(known), "position")
        if position not in living:
            raise Refused(f"position {position} is {known[position]['state']}: it has ended")
    manner = manner_of(given)
    what = f"all {len(living)} positions" if position == "all" else f"position {position}"
    confirm(manner, f"Sell {what} at the market?")
    give(common, "force-exit", {"id": position}, manner)
