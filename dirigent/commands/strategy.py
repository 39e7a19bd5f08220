"""The commands `strategy new`, `test`, `list` and `swap`: strategies of users, from their first line to the engine."""

import json
from pathlib import Path
from typing import Any

import click

from dirigent.commands.common import (
    Common,
    Failed,
    Finite,
    Refused,
    common_options,
    json_option,
    pass_common,
)
from dirigent.steering.giving import confirm, give, manner_of, manner_options, require_pair

_COLUMNS = ("symbol", "strategy", "params", "weight", "source", "file", "permission", "notes")


@click.group(epilog="Example: dirigent strategy new mine.py")
@common_options
def strategy() -> None:
    """Write, try, list and swap strategies.

    A strategy of yours is a class in a file of yours, named in the configuration: strategy = "./mine.py:Mine".
    """


@strategy.command(epilog="Example: dirigent strategy new mine.py")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@common_options
def new(file: Path) -> None:
    """Write a commented strategy to begin with.

    It trades as it stands, and keeps the contract. A file that exists is never overwritten.
    """
    from dirigent.strategy_template import template_for

    if file.suffix != ".py":
        raise Refused(f"{file}: a strategy's file ends in .py; name it {file.with_suffix('.py')}")
    kind, text = template_for(file)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise Refused(f"{file} exists; name another file, or move it away first") from None
    except OSError as error:
        raise Refused(f"{file} cannot be written ({error.strerror}); name another place") from None
    named = file if file.is_absolute() else f"./{file}"
    click.echo(
        f'wrote {file}; try `dirigent strategy test {file}`, then configure strategy = "{named}:{kind}"'
    )


def _parameters(
    _context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    written: dict[str, str] = {}
    for one in value:
        name, equals, text = one.partition("=")
        if not equals or not name or not text:
            raise click.BadParameter(f"{one!r} is not name=value, such as period=30")
        if name in written:
            raise click.BadParameter(f"{name} is given twice")
        written[name] = text
    return written


_params_option = click.option(
    "--params",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_parameters,
    help="A parameter of the strategy; repeatable. Others have their defaults.",
)


def _read(name: str, written: dict[str, str]) -> dict[str, Any]:
    """The parameters in their kinds, the strategy having been made once. Raises StrategyError."""
    from dirigent import strategies_from_files
    from services.strategies.parameters import read_parameters, storable_parameters

    kind = strategies_from_files.kind_named(name)
    params = read_parameters(kind.name, kind.parameters, written)
    strategies_from_files.tried(name, params)
    return storable_parameters(params)


@strategy.command(name="test", epilog="Example: dirigent strategy test mine.py")
@click.argument("name", metavar="FILE|NAME")
@click.argument("data", nargs=-1, type=click.Path(exists=True, dir_okay=False))
@_params_option
@click.option(
    "--budget",
    "budget_ms",
    metavar="MS",
    type=Finite(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="What it may take of a price.",
)
@json_option
@common_options
def test(name: str, data: tuple[str, ...], params: dict[str, str], budget_ms: float, as_json: bool) -> None:
    """Hold a strategy to its contract.

    FILE may name its class: mine.py:Mine. DATA are recorded bars or trades; without them prices of every kind are
    made up. Deterministic, without clock and input or output, true to its own checkpoints, unmoved by gaps and odd
    prices, within its time and its memory. Exit 0, or 1 with what it breaks.
    """
    from dirigent import strategy_contract
    from dirigent.output import print_json
    from dirigent.strategies_from_files import anchored
    from services.exchanges.recording_faults import RecordingError
    from services.strategies.base import StrategyError

    name = anchored(name, Path.cwd())
    try:
        report = strategy_contract.examined(name, _read(name, params), data, budget_ms)
    except StrategyError as error:
        raise Failed(str(error)) from None
    except RecordingError as error:
        raise Refused(str(error)) from None
    if as_json:
        clauses = [
            {"clause": one.clause, "kept": not one.fault, "found": one.fault or one.told}
            for one in report.findings
        ]
        print_json({"kept": report.is_kept, "votes": report.votes, "clauses": clauses})
    else:
        for one in report.findings:
            told = one.fault or one.told
            click.echo(f"{'FAILED' if one.fault else 'ok    '}  {one.clause}{f': {told}' if told else ''}")
    if not report.is_kept:
        broken = [one.clause for one in report.findings if one.fault]
        raise Failed(f"{name} breaks {len(broken)} of {len(report.findings)} clauses: {'; '.join(broken)}")


@strategy.command(name="list", epilog="Example: dirigent strategy list --json")
@click.option("--known", is_flag=True, help="The built-in strategies and their parameters instead.")
@json_option
@common_options
@pass_common
def list_(common: Common, known: bool, as_json: bool) -> None:
    """Show which strategies run where, from which source, and what is there to choose from.

    Works while the engine runs.
    """
    from dirigent.output import print_rows
    from dirigent.swapping.listing import built_in, running

    if known:
        rows = built_in()
        columns: tuple[str, ...] = ("strategy", "parameter", "default", "allowed", "meaning")
    else:
        rows, columns = running(common.database_path()), _COLUMNS
    print_rows(rows, columns, as_json=as_json, none="no strategies", title="strategies")


@strategy.command(epilog="Example: dirigent strategy swap BTC/USDT ./mine.py --params period=30")
@click.argument("symbol", metavar="SYMBOL|all")
@click.argument("name", metavar="NAME|FILE|configured")
@_params_option
@click.option(
    "--shadow",
    metavar="N",
    type=click.IntRange(min=1),
    help="For how many prices it votes beside the old one first. Default: as configured.",
)
@click.option(
    "--exits",
    type=click.Choice(["keep", "sell"]),
    default="keep",
    show_default=True,
    help="Open positions keep the exit rules they were opened with, or are sold with the swap.",
)
@manner_options(money=True)
@common_options
@pass_common
def swap(
    common: Common,
    /,
    symbol: str,
    name: str,
    params: dict[str, str],
    shadow: int | None,
    exits: str,
    **given: Any,
) -> None:
    """Let another strategy trade a pair, in the running engine.

    It is checked here, warmed up on the recent past, tried beside the old one without trading, and seated between
    two prices; the journal tells how it ended. `configured` brings back what the configuration names. The swap
    outlives a restart until the configuration of the pair is changed.
    """
    from dirigent.strategies_from_files import anchored
    from services.strategies.base import StrategyError

    if symbol != "all":
        require_pair(common, symbol)
    name = anchored(name, Path.cwd())
    try:
        storable = {} if name == "configured" else _read(name, params)
    except StrategyError as error:
        raise Refused(str(error)) from None
    if name == "configured" and params:
        raise Refused("the configuration names the parameters, too; leave --params out, or name a strategy")
    manner = manner_of(given)
    if exits == "sell":
        whose = "all pairs hold" if symbol == "all" else f"{symbol} holds"
        confirm(manner, f"Sell what {whose} with the swap?")
    arguments = {"symbols": [symbol], "strategy": name, "params": storable, "shadow": shadow, "exits": exits}
    give(common, "swap", json.loads(json.dumps(arguments)), manner)
