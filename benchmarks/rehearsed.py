"""The way to an exchange when it breaks: how soon prices come again, and how soon a stall is noticed and said."""

import asyncio
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import outages
from benchmarks.bench_engine import quantile
from benchmarks.following import Heard, heard_by, settings_on, until
from dirigent.proofs.death.daemons import Daemon, Place, wait_until
from dirigent.proofs.methods import replace_method
from dirigent.proofs.rehearsed.beside import Beside, rehearsing
from dirigent.proofs.rehearsed.configurations import OPTIONS, SYMBOLS
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from dirigent.venues import opened
from persistence import queries
from services.clocks import SystemClock

DISCONNECTS = 10
STALE_AFTER_S = 5.0
TICKS_PER_S = 10.0


def measure() -> list[str]:
    settings = RehearsalSettings(symbols=SYMBOLS, ticks_per_s=TICKS_PER_S)
    with rehearsing(settings) as beside:
        recovery = asyncio.run(_recovery(beside))
    with rehearsing(settings) as beside, TemporaryDirectory() as directory:
        said_s = stall_said(beside, Path(directory))
    return [
        recovery,
        *outages.measure(),
        f"streams that fall silent: `status` says so {said_s:.2f} s after their last price"
        f" (stale_after_s = {STALE_AFTER_S:.0f}, and a heartbeat of a second)",
    ]


async def _recovery(beside: Beside) -> str:
    """Every connection is cut at once, again and again; what counts is the next price, of each symbol."""
    took_s: list[float] = []
    asked_s: list[float] = []
    with TemporaryDirectory() as directory:
        settings = settings_on(beside.server, Path(directory))
        async with (
            opened(settings, SYMBOLS, SystemClock()) as venue,
            heard_by(venue, SYMBOLS) as heard,
        ):
            await until(lambda: len(heard.at_s) == len(SYMBOLS) and bool(heard.gaps_s))
            for _ in range(DISCONNECTS):
                await asyncio.sleep(1)
                cut_s = beside.do(_cut_all)
                await until(partial(_all_after, heard, cut_s))
                took_s += [at_s - cut_s for at_s in heard.at_s.values()]
                asked_s.append(min(at_s for at_s in heard.gaps_s if at_s > cut_s) - cut_s)
    return (
        f"{DISCONNECTS} times all {len(SYMBOLS) + 1} connections cut: the next price after p50"
        f" {quantile(took_s, 0.5):.2f} s, max {max(took_s):.2f} s; order reports flow, and the books are"
        f" compared, after at most {max(asked_s):.2f} s (5 allowed)"
    )


def _cut_all(server: Rehearsal) -> float:
    for connection in server.connections:
        connection.cut()
    return time.monotonic()


def _all_after(heard: Heard, cut_s: float) -> bool:
    """Long enough after it that no price can have been on its way."""
    return min(heard.at_s.values()) > cut_s + 0.05 and max(heard.gaps_s) > cut_s


def stall_said(beside: Beside, directory: Path, stale_after_s: float = STALE_AFTER_S) -> float:
    """Seconds from the last price on any stream until `status` tells that a feed is stale.

    The real process, on streams that all fall silent with their sockets open, and new ones too.
    """
    symbols = beside.server.settings.symbols
    pairs = "".join(f'[[pairs]]\nsymbol = "{symbol}"\nstrategy = "external"\n' for symbol in symbols)
    risk = f"[risk]\nstale_after_s = {stale_after_s}\n"
    place = Place.make(directory, beside.configuration("live", keys=True, options=OPTIONS) + pairs + risk)
    with Daemon(place, "--live") as daemon:
        wait_until(lambda: _stale(place, False) == len(symbols), lambda: daemon.said, daemon.process)
        silent_s = beside.do(_silence_all)
        wait_until(lambda: bool(_stale(place, True)), lambda: daemon.said, daemon.process)
        said_s = time.monotonic() - silent_s
        daemon.stop()
    return said_s


def _stale(place: Place, is_stale: bool) -> int:
    """How many feeds `status` tells to be so."""
    if not place.database.exists():
        return 0
    feeds = queries.status(place.database).get("feeds") or ()
    return sum(feed["stale"] is is_stale and feed["age_s"] is not None for feed in feeds)


def _silence_all(server: Rehearsal) -> float:
    """Prices go on, and nobody is told, whoever connects."""

    def nothing(*_: object) -> None:
        pass

    replace_method(server.venue.feeds, "told", nothing)
    replace_method(server.venue.feeds, "told_all", nothing)
    return time.monotonic()
