"""The command `journal`: what happened, with every guard's verdict in words."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from dirigent.explaining.moments import milliseconds
from dirigent.output import Row, print_json_line, print_json_stream, rfc3339

LATEST_ROWS = 10
"""With how many entries --follow begins."""
POLL_S = 0.25


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """A moment in milliseconds: RFC 3339 with its offset, or how long ago, such as 10m, 2h or 1d."""
    if value is None:
        return None
    moment_ms = milliseconds(value, int(time.time() * 1000))
    if moment_ms is None:
        raise click.BadParameter(
            f"{value!r} is no time; write 2026-01-31T12:00:00Z, or 10m, 2h, 1d for how long ago"
        )
    return moment_ms


@click.command(epilog="Example: dirigent journal --since 10m --follow")
@click.argument("subject_id", metavar="[ID]", required=False)
@click.option(
    "--since",
    "since_ms",
    metavar="TIME",
    callback=moment,
    help="From then on: RFC 3339, or how long ago (10m, 2h, 1d). Default: the beginning.",
)
@click.option(
    "--follow",
    is_flag=True,
    help="Go on as entries come, until Ctrl-C; begins with the latest unless --since.",
)
@json_option
@common_options
@pass_common
def journal(
    common: Common, subject_id: str | None, since_ms: int | None, follow: bool, as_json: bool
) -> None:
    """Tell what happened, and why.

    ID is a position, with its orders, or any order, symbol or permission; everything without one. With
    --follow the JSON is one object a line (JSON Lines) instead of one list.
    """
    from persistence import journal_queries

    path = common.database_path()
    if follow:
        _follow(path, subject_id, since_ms, as_json=as_json)
        return
    rows = journal_queries.walk_entries(path, subject_id=subject_id, since_ms=since_ms)
    if as_json:
        print_json_stream(map(_time_first, rows))
        return
    row = None
    for row in rows:
        _print_line(row)
    if row is None:
        click.echo("no entries", err=True)


def _follow(path: Path, subject_id: str | None, since_ms: int | None, *, as_json: bool) -> None:
    try:
        for row in _coming(path, subject_id, since_ms):
            if as_json:
                print_json_line(_time_first(row))
            else:
                _print_line(row)
    except KeyboardInterrupt:
        return


def _coming(path: Path, subject_id: str | None, since_ms: int | None) -> Iterator[Row]:
    from persistence import journal_queries

    after, limit = None, LATEST_ROWS if since_ms is None else None
    while True:
        for row in journal_queries.entries(
            path, subject_id=subject_id, since_ms=since_ms, after_seq=after, limit=limit
        ):
            after, limit = row["seq"], None
            yield row
        time.sleep(POLL_S)


def _time_first(row: Row) -> Row:
    return {"seq": row["seq"], "at": row["at"], **row}


def _print_line(row: Row) -> None:
    moved = row["outcome"] == "moved"
    step = f"{row['source']} -> {row['target']}" if moved else f"{row['source']} ({row['outcome']})"
    subject = f"{row['machine']} {row['subject_id']}"
    line = f"{row['seq']:>7}  {rfc3339(row['at'])}  {subject:<28}  {row['event']:<24}  {step}"
    reasons = [guards_in_words(row["guards"]), _own_reason(row), row["note"] or ""]
    told = "; ".join(reason for reason in reasons if reason)
    click.echo(f"{line}  [{told}]" if told else line)


def _own_reason(row: Row) -> str:
    """Why a permission was taken, or an order refused; of a person's command the note says it."""
    is_told = row["machine"] in ("permission", "order") and not (row["note"] or "").startswith("person ")
    return str(row["changes"].get("reason") or "") if is_told else ""


def guards_in_words(guards: list[dict[str, Any]]) -> str:
    """`signal_is_new holds; risk_allows_entry fails (max_open_deals 5/5)`."""
    return "; ".join(
        f"{guard['guard']} {'holds' if guard['holds'] else 'fails'}"
        + (f" ({guard['because']})" if guard["because"] else "")
        for guard in guards
    )
