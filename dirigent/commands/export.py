"""The command `export`: deals or fills for a spreadsheet, a program or a data frame, with every digit."""

from pathlib import Path

import click

from dirigent.commands.common import Common, Refused, common_options, pass_common
from dirigent.commands.journal import moment
from dirigent.steering.giving import require_pair


@click.command(epilog="Example: dirigent export deals --format parquet --output deals.parquet")
@click.argument("what", type=click.Choice(["deals", "fills"]))
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "parquet"]),
    default="csv",
    show_default=True,
    help="Money is exact in all: digits in csv, text in json, decimals in parquet.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there instead of to stdout; never over a file that exists.",
)
@click.option("--symbol", metavar="SYMBOL", help="Only those of this market, such as BTC/USDT.")
@click.option(
    "--since",
    "since_ms",
    metavar="TIME",
    callback=moment,
    help="Deals created, or fills made, from then on: RFC 3339, or how long ago (10m, 2h, 1d).",
)
@common_options
@pass_common
def export(
    common: Common, what: str, form: str, output: Path | None, symbol: str | None, since_ms: int | None
) -> None:
    """Write deals or fills as CSV, JSON or Parquet.

    Works while the engine runs. A deal is a position from its signal to its money; one that is still open has
    no exit yet. Moments are UTC.
    """
    from dirigent.exporting import COLUMNS, write
    from persistence import queries

    if form == "parquet" and output is None:
        raise Refused("parquet is no text; give --output FILE")
    if output is not None and output.exists():
        raise Refused(f"{output} exists; name another file, or move it away first")
    path = common.database_path()
    if what == "deals":
        rows, born = queries.positions(path, symbol=symbol), "created_at"
    else:
        rows, born = queries.fills(path, symbol=symbol), "at"
    if not rows and symbol is not None:
        require_pair(common, symbol)
    chosen = [row for row in rows if since_ms is None or (row[born] or 0) >= since_ms]
    try:
        write(chosen, COLUMNS[what], form, output)
    except OSError as error:
        raise Refused(f"{output} cannot be written ({error.strerror}); name another place") from None
    if output is not None:
        click.echo(f"wrote {len(chosen)} {what} to {output}", err=True)
