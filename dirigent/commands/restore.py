"""The command `restore`: a backup in the database's place, with a life of its own from there."""

import time
from pathlib import Path

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common


@click.command(epilog="Example: dirigent restore backups/monday.sqlite --yes")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--yes", is_flag=True, help="Put it where a database stands; that one is kept under another name."
)
@json_option
@common_options
@pass_common
def restore(common: Common, file: Path, yes: bool, as_json: bool) -> None:
    """Put a backup in the database's place.

    FILE is what `dirigent backup` wrote; it stays as it is. Refused while the engine runs. Nothing is
    overwritten: a database that stands there is kept beside it, with --yes. What was sent after the backup was
    made is known to the exchange alone; so new orders get names that no order had before, and entries are
    halted until a person has compared and resumed.
    """
    from dirigent.output import print_json, rfc3339
    from persistence.restoring import restore as put_back

    database = common.database_path()
    done = put_back(file, database, int(time.time() * 1000), replace=yes)
    if as_json:
        print_json(
            {
                "database": str(database),
                "made_at_ms": done.made_at_ms,
                "entries": done.entries,
                "former_tag": done.former_tag,
                "tag": done.tag,
                "kept": None if done.kept is None else str(done.kept),
            }
        )
        return
    made = "" if done.made_at_ms is None else f", made {rfc3339(done.made_at_ms)}"
    click.echo(f"{database} is {file}{made}: {done.entries} journal entries, whole")
    if done.kept is not None:
        click.echo(f"what stood there is {done.kept}")
    click.echo(f"order ids begin with {done.tag} from now on, and not with {done.former_tag}")
    click.echo(
        "entries are halted: see `dirigent reconcile --plan`, settle what differs, then resume the engine"
    )
