"""The command `state`: the books as they were at a past moment."""

from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from dirigent.explaining.moments import wish

if TYPE_CHECKING:
    from persistence.past import Wish


@click.command(epilog="Example: dirigent state --at -1h")
@click.option(
    "--at",
    "at",
    metavar="T",
    required=True,
    callback=wish,
    help="RFC 3339, how long ago (-30s, -10m, -2h, -1d), or the number of a journal entry.",
)
@click.option("--all", "keep_ended", is_flag=True, help="List positions and orders that had ended, too.")
@json_option
@common_options
@pass_common
def state(common: Common, as_json: bool, at: "Wish", keep_ended: bool) -> None:
    """Show the books at a past moment.

    Pairs, permissions, positions, orders, what had filled and what was held, folded from the journal up to its
    last entry at that time. Works while the engine runs, and takes the longer the longer the journal is.
    """
    from dirigent.explaining import books
    from dirigent.output import print_json
    from persistence.past import books_at

    past = books_at(common.database_path(), at, keep_ended=keep_ended)
    if as_json:
        print_json(books.document(past))
    else:
        books.tell(past)
