"""The command `verify`: the journal is whole, the tables its sum, and the orders the sum of their fills."""

import click

from dirigent.commands.common import Common, Failed, common_options, pass_common


@click.command(epilog="Example: dirigent verify --db dirigent.sqlite")
@common_options
@pass_common
def verify(common: Common) -> None:
    """Prove the journal whole and the tables its sum.

    Checks the hash chain from its first entry, folds the journal into the state of every pair, permission,
    position and order, and adds up the fills of each order: its amount, cost and fees. Exit 0, or 1 with the
    first difference. Works while the engine runs.

    Signals, facts and the outbox are not part of the chain: a change to them is not found, nor one to the id,
    market, side or time of a fill.
    """
    from persistence import verification

    report = verification.verify(common.database_path())
    click.echo(f"{report.entries} journal entries, {report.subjects} subjects, {report.fills} fills")
    click.echo(f"head {report.head}")
    click.echo(f"not covered: {', '.join(verification.NOT_COVERED)}")
    if report.difference is not None:
        raise Failed(report.difference)
    click.echo("whole")
