"""A real client that follows a rehearsal exchange, and when it heard what."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dirigent.configuration.settings import Settings, load_settings
from dirigent.proofs.rehearsed.configurations import OPTIONS, SYMBOLS
from dirigent.rehearsal.server import Rehearsal
from dirigent.venues import Venue, tell_gaps
from services.messages import OrderReport
from services.tasks import end_tasks

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.005


@dataclass(slots=True)
class Heard:
    """When each symbol's last price arrived, by `time.monotonic`, and each call to compare the books."""

    at_s: dict[str, float] = field(default_factory=dict)
    first_s: dict[str, float] = field(default_factory=dict)
    """The first price of each symbol since this was last cleared."""
    gaps_s: list[float] = field(default_factory=list)


def settings_on(server: Rehearsal, directory: Path) -> Settings:
    """Live on all symbols, without a strategy of our own."""
    options = server.ccxt_options()
    options["options"] |= OPTIONS["options"]
    overrides = {
        "mode": "live",
        "database": str(directory / "books.sqlite"),
        "exchange": {"id": "binance", "options": options | {"rateLimit": 1}},
        "pairs": [{"symbol": symbol, "strategy": "external"} for symbol in SYMBOLS],
    }
    return load_settings((), overrides, {})


@asynccontextmanager
async def heard_by(
    venue: Venue, symbols: Sequence[str], reported: Callable[[list[OrderReport]], None] = lambda _: None
) -> AsyncIterator[Heard]:
    """What this client hears for as long as the block lasts."""
    heard = Heard()
    tell_gaps(venue, lambda: heard.gaps_s.append(time.monotonic()))
    tasks = [asyncio.create_task(_watch(venue, symbol, heard)) for symbol in symbols]
    tasks.append(asyncio.create_task(_watch_orders(venue, reported)))
    try:
        yield heard
    finally:
        await end_tasks(tasks)


async def _watch(venue: Venue, symbol: str, heard: Heard) -> None:
    while True:
        await venue.watch_ticker(symbol)
        heard.at_s[symbol] = time.monotonic()
        heard.first_s.setdefault(symbol, heard.at_s[symbol])


async def _watch_orders(venue: Venue, reported: Callable[[list[OrderReport]], None]) -> None:
    while True:
        reported(await venue.watch_orders())


async def until(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until_s:
            raise RuntimeError(f"not everything was back within {PATIENCE_S:.0f} s")
        await asyncio.sleep(LOOK_EVERY_S)
