"""The command `backup`: a whole, proved copy of the database, made while the engine trades."""

import time
from pathlib import Path

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common


@click.command(epilog="Example: dirigent backup backups/monday.sqlite")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@common_options
@pass_common
def backup(common: Common, file: Path, as_json: bool) -> None:
    """Copy the database while it trades, and prove the copy.

    One moment of it, while the engine goes on trading. FILE is never overwritten, appears whole or not at all,
    and is proved as `dirigent verify` does. The books of the exchange are not in it, not those of the paper
    exchange either. Put it back with `dirigent restore`. Exit 0; 1 when the copy is not whole; 2 when refused.
    """
    from dirigent.output import print_json
    from persistence.backup import back_up

    made = back_up(common.database_path(), file, int(time.time() * 1000))
    told = {
        "file": str(made.path),
        "bytes": made.size,
        "entries": made.report.entries,
        "subjects": made.report.subjects,
        "fills": made.report.fills,
        "head": made.report.head,
        "made_at_ms": made.made_at_ms,
    }
    if as_json:
        print_json(told)
        return
    click.echo(
        f"wrote {made.path}: {made.report.entries} journal entries, {made.report.subjects} subjects,"
        f" {made.report.fills} fills, {made.size} bytes; whole"
    )
    click.echo(f"head {made.report.head}")
