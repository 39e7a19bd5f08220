"""The answer of `why` as a page of text."""

from typing import Any

import click

from dirigent.output import aligned, rfc3339, text


def tell(document: dict[str, Any]) -> None:
    since = document["state_since_at"]
    held = f" since {rfc3339(since)}" if since else ""
    click.echo(f"{document['symbol']} at {rfc3339(document['at_ms'])}: {document['state']}{held}")
    click.echo(f"  {document['answer']}")
    for permission in document["permissions"]:
        if permission["way_out"]:
            began = f" since {rfc3339(permission['since_at'])}" if permission["since_at"] else ""
            click.echo(f"  {permission['scope']} is {permission['state']}{began}: {permission['reason']}")
            click.echo(f"    {permission['way_out']}")
    price = document["price"]
    if price is not None:
        click.echo(f"  last price {text(price['last'])}, {price['age_s']:.1f} s old")
    click.echo()
    lines = [_line(row, document["at_ms"]) for row in document["guards"]]
    for line in aligned([["", "guard", "since", "last hour", "compared"], *lines]):
        click.echo(line)
    _changes(document)
    _decision(document["last_decision"])
    for gap in document["not_known"]:
        click.echo(f"not known: {gap}")


def _line(row: dict[str, Any], at_ms: int) -> list[str]:
    earlier = row["since_at"] is None and row["as_of_at"] not in (None, at_ms)
    mark = {True: "held" if earlier else "holds", False: "failed" if earlier else "FAILS", None: "-"}[
        row["holds"]
    ]
    refused = row["refused_in_last_hour"]
    times = "?" if refused is None else f"{refused} times" if refused else "-"
    since = rfc3339(row["since_at"])[:19] + "Z" if row["since_at"] else "-"
    words = row["because"]
    if earlier:
        words += f" (at {rfc3339(row['as_of_at'])})"
    if row["holds"] is None:
        words = "asked of a signal only" if row["guard"].startswith("signal_") else "its verdict is not kept"
    if row["last_refused_because"] and row["last_refused_because"] != row["because"]:
        words += f"; refused last with: {row['last_refused_because']}"
    return [mark, row["guard"], since, times, words]


def _changes(document: dict[str, Any]) -> None:
    wanted = [row for row in document["guards"] if row["to_change"]]
    if wanted:
        click.echo("\nwhat would have to change:")
    for row in wanted:
        click.echo(f"  {row['guard']}: {row['to_change']}")


def _decision(decision: dict[str, Any] | None) -> None:
    if decision is None:
        click.echo("\nno entry was ever decided")
        return
    what = "was refused" if decision["outcome"] == "refused" else f"went to {decision['target']}"
    click.echo(
        f"\nlast decided {rfc3339(decision['at'])}: {decision['event']} in {decision['source']} {what}"
        f" (journal entry {decision['seq']})"
    )
