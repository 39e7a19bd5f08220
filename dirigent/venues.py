"""Where an engine trades: the exchange that the configuration names, opened, and the refusal of what cannot be."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from dirigent.configuration.settings import Settings, paper_settings
from run_realtime_trading import Exchange
from services.exchanges.paper import PaperExchange
from services.ports import Account, Clock, OpenOrders


class Refused(Exception):
    """The engine does not start; the message says why and what to do."""


class Venue(Exchange, Account, OpenOrders, Protocol):
    """Everything the daemon needs of an exchange: prices, orders, reports, money, and the list of what is open."""


def refuse_what_cannot_trade(settings: Settings, live: bool) -> None:
    """Raises Refused unless the configuration and `--live` agree and a connector exists."""
    if live and settings.mode != "live":
        raise Refused('--live was given and the configuration says mode = "paper"; change one of them')
    if settings.mode == "live" and not live:
        raise Refused('the configuration says mode = "live"; give --live too if real money is meant')
    if settings.mode == "live" or settings.exchange.id != "paper":
        raise Refused(
            f"there is no connector to {settings.exchange.id!r} yet: only the paper exchange trades;"
            ' set mode = "paper" and exchange.id = "paper"'
        )


def paper_file(database: str | Path) -> Path:
    """Where the paper exchange keeps its own books: beside the engine's database, never in it."""
    path = Path(database)
    return path.with_name(f"{path.stem}.paper-exchange{path.suffix}")


@asynccontextmanager
async def opened(settings: Settings, symbols: Sequence[str], clock: Clock) -> AsyncIterator[Venue]:
    """The exchange, open for as long as the block lasts."""
    exchange = PaperExchange(
        paper_file(settings.database), symbols=symbols, settings=paper_settings(settings), clock=clock
    )
    await exchange.open()
    try:
        yield exchange
    finally:
        await exchange.close()
