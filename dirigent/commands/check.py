"""The command `check`: everything that can be known to be wrong before a start."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, Refused, common_options, pass_common

if TYPE_CHECKING:
    from dirigent.configuration.settings import Settings


@click.command(epilog="Example: dirigent -c dirigent.toml -c mine.toml check")
@common_options
@pass_common
def check(common: Common) -> None:
    """Validate configuration, strategies and tables.

    Names file, key, value and remedy of every problem found. Exit 0, or 2 with the problems.
    """
    settings = common.settings()
    _log_warnings(settings)
    _check_exchange(settings)
    files = common.configuration_files()
    click.echo(f"configuration: {', '.join(files) if files else 'none: the demonstration'}")
    click.echo(f"mode: {settings.mode} on {settings.exchange.id}, database {settings.database}")
    _check_database(settings)
    _tell_pairs(settings)
    _tell_order_books(settings)
    _tell_limits(settings)
    _tell_channels(settings)
    _tell_tables()
    click.echo("ok")


def _log_warnings(settings: "Settings") -> None:
    """To stderr alone, with what is secret masked: nothing is written by a check."""
    from dirigent.logging_secrets import secrets_in
    from dirigent.logging_setup import configure_logging

    section = settings.logging.model_copy(update={"level": "WARNING", "file": None})
    configure_logging(section, secrets=secrets_in(settings.exchange.options))


def _check_exchange(settings: "Settings") -> None:
    """What `trade` would refuse before it asks the network; what an exchange lists is `doctor`'s to ask."""
    from dirigent import venues

    try:
        venues.refuse_exchange(settings)
    except venues.Refused as error:
        raise Refused(str(error)) from None


def _check_database(settings: "Settings") -> None:
    """Paper and live never share a file: one in which anything has happened says whose it is."""
    if not Path(settings.database).exists():
        return
    from persistence import queries

    made_for = queries.status(Path(settings.database))
    for key, configured in (("mode", settings.mode), ("exchange", settings.exchange.id)):
        if made_for.get(key) not in (None, configured) and queries.has_past(Path(settings.database)):
            raise Refused(
                f"database {settings.database} was made for {key} {made_for[key]!r}, "
                f"configured is {configured!r}; name another database"
            )


def _tell_pairs(settings: "Settings") -> None:
    from fsm.values import quote_of

    for pair in settings.pairs:
        strategies = " + ".join(
            f"{choice.name}({', '.join(f'{key}={value}' for key, value in choice.params.items())})"
            for choice in pair.strategy
        )
        exits = {
            "take profit": pair.take_profit,
            "stop loss": pair.stop_loss,
            "trailing stop": pair.trailing_stop,
            "seconds held": pair.max_hold_s,
            "sell signal": "yes" if pair.exit_on_sell_signal else None,
        }
        told = ", ".join(f"{name} {value}" for name, value in exits.items() if value is not None)
        click.echo(
            f"pair {pair.symbol}: {strategies}, {pair.deal_quota} {quote_of(pair.symbol)} a deal, "
            f"{pair.max_deals} at once; exits: {told or 'none'}"
        )
        if not told:
            click.echo(f"warning: {pair.symbol} has no exit; its positions would never be sold", err=True)
    quote = quote_of(settings.pairs[0].symbol)
    if settings.exchange.id == "paper" and not settings.paper.balances.get(quote):
        click.echo(f"warning: [paper] balances hold no {quote}; no deal can begin", err=True)


def _tell_order_books(settings: "Settings") -> None:
    """Strategies that ask for an order book which the exchange does not have."""
    from dirigent import strategies_from_files, venues

    asking = {
        pair.symbol: choice.name
        for pair in settings.pairs
        for choice in pair.strategy
        if strategies_from_files.kind_named(choice.name).order_book_depth
    }
    if asking and not venues.streams_order_books(settings.exchange.id):
        for symbol, name in asking.items():
            click.echo(
                f"warning: {symbol}: {name} asks for the order book, and {settings.exchange.id} streams none;"
                " it is empty",
                err=True,
            )


def _tell_limits(settings: "Settings") -> None:
    limits = settings.risk.model_dump()
    told = ", ".join(f"{name} {'off' if value is None else value}" for name, value in limits.items())
    click.echo(f"limits: {told}")


def _tell_channels(settings: "Settings") -> None:
    if not settings.alerts.urls:
        return
    from dirigent.alerts.channels import open_channels

    unusable: list[str] = []
    channels = open_channels([url.get_secret_value() for url in settings.alerts.urls], unusable.append)
    click.echo(f"alerts: {', '.join(channel.name for channel in channels) or 'no channel'}")
    for name in unusable:
        click.echo(
            f"warning: [alerts] urls: apprise knows no such channel, or its address lacks a part: {name}",
            err=True,
        )


def _tell_tables() -> None:
    """A table checks itself when it is imported."""
    from fsm.order import ORDER
    from fsm.pair import PAIR
    from fsm.permission import PERMISSION
    from fsm.position import POSITION

    for table in (PAIR, POSITION, ORDER, PERMISSION):
        click.echo(
            f"table {table.name}: {len(table.states)} states, {len(table.rows)} rows, definition {table.hash}"
        )
