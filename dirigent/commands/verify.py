"""The command `verify`: the journal is whole, and the tables are what it adds up to."""

import click

from dirigent.commands.common import Common, Failed, common_options, pass_common


@click.command(epilog="Example: dirigent verify --db dirigent.sqlite")
@common_options
@pass_common
def verify(common: Common) -> None:
    """Prove the journal whole and the tables its sum.

    Checks the hash chain from its first entry and folds the journal into every subject's state. Exit 0, or 1
    with the first difference. Works while the engine runs.
    """
    from persistence import verification

    report = verification.verify(common.database_path())
    click.echo(f"{report.entries} journal entries, {report.subjects} subjects, {report.fills} fills")
    click.echo(f"head {report.head}")
    if report.difference is not None:
        raise Failed(report.difference)
    click.echo("whole")
