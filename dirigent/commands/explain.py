"""The command `explain`: one deal's whole story."""

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common


@click.command(epilog="Example: dirigent explain abcde000001")
@click.argument("position", metavar="POSITION")
@json_option
@common_options
@pass_common
def explain(common: Common, as_json: bool, position: str) -> None:
    """Tell one deal's whole story.

    Signal and votes, what the guards and the risk checks said, orders, trades, the exit, the money in numbers that
    add up, anomalies, and restarts of the engine in between; from the journal. POSITION is a position, living or
    ended, or one of its orders. Works while the engine runs.
    """
    from dirigent.explaining.story import document
    from dirigent.explaining.story_told import tell
    from dirigent.output import print_json
    from persistence.story import story

    told = document(story(common.database_path(), position))
    if as_json:
        print_json(told)
    else:
        tell(told)
