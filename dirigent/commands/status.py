"""The command `status`: how the engine is doing, from its heartbeat and its tables."""

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common

_FIELDS = (
    "mode",
    "exchange",
    "running",
    "pid",
    "uptime_s",
    "pairs_by_state",
    "positions_by_state",
    "orders_by_state",
    "ticks",
    "ticks_per_s",
    "tick_ms_p50",
    "tick_ms_p99",
    "equity",
    "stopped",
    "differences",
    "store_fault",
)


@click.command(epilog="Example: dirigent status --json")
@json_option
@common_options
@pass_common
def status(common: Common, as_json: bool) -> None:
    """Show how the engine is doing.

    Works while it runs, and tells of its last moments when it does not.
    """
    from dirigent.output import print_object
    from persistence import queries

    known = queries.status(common.database_path())
    wanted = {name: known.get(name) for name in _FIELDS}
    shown = {**wanted, **{name: value for name, value in known.items() if name not in wanted}}
    wanted["differences"] = len(known.get("differences") or ())
    print_object(shown if as_json else wanted, as_json=as_json)
