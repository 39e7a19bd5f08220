"""The command `balance`: the account by currency, as the engine last saw it."""

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common


@click.command(epilog="Example: dirigent balance")
@json_option
@common_options
@pass_common
def balance(common: Common, as_json: bool) -> None:
    """Show the account by currency.

    What is free, what resting orders hold, and their sum, as the engine last saw them.
    """
    from dirigent.output import print_json, print_rows
    from persistence import queries

    by_currency = queries.balance(common.database_path())
    if as_json:
        print_json(by_currency)
        return
    rows = [{"currency": currency, **amounts} for currency, amounts in by_currency.items()]
    columns = ("currency", "free", "used", "total")
    print_rows(rows, columns, as_json=False, none="no balance is known yet", title="balance")
