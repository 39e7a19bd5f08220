"""The command `pairs`: what is traded, and why or why not; with `add` and `remove` it changes what is traded."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirigent.commands.common import Common, Refused, common_options, json_option, pass_common
from dirigent.commands.listing import show
from dirigent.steering.giving import confirm, give, manner_of, manner_options, require_pair

if TYPE_CHECKING:
    from dirigent.configuration.sections import PairSection

_COLUMNS = ("symbol", "state", "permission", "strategy", "last_price", "last_tick_at", "reason")


@click.group(invoke_without_command=True, epilog="Example: dirigent pairs --json")
@json_option
@common_options
@click.pass_context
def pairs(context: click.Context, as_json: bool) -> None:
    """List the traded pairs; add and remove pairs.

    Works while the engine runs. The reason says why a pair does not trade now.
    """
    if context.invoked_subcommand is not None:
        return
    from persistence import queries

    common = context.ensure_object(Common)
    show(queries.pairs(common.database_path()), _COLUMNS, "pairs", as_json=as_json)


@pairs.command(epilog="Example: dirigent pairs add LTC/USDT --yes")
@click.argument("what", metavar="SYMBOL|FILE...", nargs=-1, required=True)
@manner_options(money=True)
@common_options
@pass_common
def add(common: Common, /, what: tuple[str, ...], **given: Any) -> None:
    """Trade further pairs, in the running engine and after its restarts.

    A SYMBOL is traded as `[[pairs]]` with nothing but that symbol would be. A FILE holds `[[pairs]]` tables, as
    the configuration does. The engine remembers the pairs itself; the configuration stays as it is, and wins
    over what was added under the same name.
    """
    sections = [section for one in what for section in _sections(one)]
    symbols = [section.symbol for section in sections]
    repeated = {symbol for symbol in symbols if symbols.count(symbol) > 1}
    if repeated:
        raise Refused(f"{', '.join(sorted(repeated))}: named twice")
    manner = manner_of(given)
    confirm(manner, f"Trade {', '.join(symbols)} too?")
    give(common, "pairs-add", {"pairs": [section.model_dump(mode="json") for section in sections]}, manner)


def _sections(what: str) -> "tuple[PairSection, ...]":
    """Validated as the configuration is. Raises SettingsError with every problem, or Refused."""
    from dirigent.configuration.layers import file_layer
    from dirigent.configuration.settings import load_settings

    if what.endswith(".toml") or Path(what).is_file():
        others = sorted(file_layer(Path(what)).values.keys() - {"pairs"})
        if others:
            raise Refused(f"{what}: only [[pairs]] tables belong there, and it has {', '.join(others)} too")
        return load_settings([what], environment={}).pairs
    return load_settings(overrides={"pairs": [{"symbol": what}]}, environment={}).pairs


@pairs.command(epilog="Example: dirigent pairs remove LTC/USDT")
@click.argument("symbol")
@manner_options(money=False)
@common_options
@pass_common
def remove(common: Common, /, symbol: str, **given: Any) -> None:
    """Trade a pair no more: it only leaves until it is flat, and is then gone.

    It stays removed over restarts, whatever the configuration says, until `dirigent pairs add` brings it back.
    """
    require_pair(common, symbol)
    give(common, "pairs-remove", {"symbol": symbol}, manner_of(given))
