"""The command `alert`: proves that messages reach the people they are for."""

from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, Failed, Refused, common_options, json_option, pass_common

if TYPE_CHECKING:
    from dirigent.alerts.channels import Channel


@click.group(epilog="Example: dirigent alert test")
@common_options
def alert() -> None:
    """Prove that messages reach people.

    Where they go and what they tell stands in [alerts].
    """


@alert.command(epilog="Example: dirigent alert test")
@json_option
@common_options
@pass_common
def test(common: Common, as_json: bool) -> None:
    """Send one message to every configured channel, and say which took it.

    Needs no running engine. Exit 0 when all took it, 1 when one did not, 2 when none is configured.
    """
    channels, unusable = _channels(common)
    from dirigent.alerts.channels import Message, send
    from dirigent.output import print_rows

    settings = common.settings()
    message = Message(f"dirigent ({settings.mode}): a test", "This channel will be told what happens.")
    rows = [{"channel": name, "told": False, "reason": _NOT_UNDERSTOOD} for name in unusable]
    for channel in channels:
        answer = send(channel.notifier, message)
        rows.append({"channel": channel.name, "told": answer.taken, "reason": answer.reason})
    rows.sort(key=lambda row: int(str(row["channel"]).split()[0]))
    print_rows(rows, ("channel", "told", "reason"), as_json=as_json, none="", title="Channels")
    failed = [row for row in rows if not row["told"]]
    if failed:
        raise Failed(f"{len(failed)} of {len(rows)} channels were not told; correct [alerts] urls")


_NOT_UNDERSTOOD = "apprise knows no such channel, or its address lacks a part"


def _channels(common: Common) -> tuple[list["Channel"], list[str]]:
    from dirigent.alerts.channels import open_channels

    urls = [url.get_secret_value() for url in common.settings().alerts.urls]
    if not urls:
        raise Refused('no channel is configured; set urls in [alerts], such as urls = ["ntfy://my-topic"]')
    unusable: list[str] = []
    return open_channels(urls, unusable.append), unusable
