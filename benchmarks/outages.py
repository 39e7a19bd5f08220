"""How soon everything is back after the exchange was really away: for a while nobody listened on its port."""

import asyncio
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.following import Heard, heard_by, settings_on, until
from dirigent.proofs.rehearsed.beside import Beside, rehearsing
from dirigent.proofs.rehearsed.configurations import SYMBOLS
from dirigent.rehearsal.settings import RehearsalSettings
from dirigent.venues import opened
from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.breaker import Circuit
from services.exchanges.ccxt_exchange.connector import CcxtExchange
from services.exchanges.ccxt_exchange.feeds import Source
from services.exchanges.ccxt_exchange.outcomes import OutcomeUnknown
from services.messages import OrderReport, OrderRequest, QueryFailed
from services.tasks import end_tasks

OUTAGES_S = (5.0, 22.0, 45.0)
TICKS_PER_S = 10.0
SYMBOL = SYMBOLS[0]
AMOUNT = Decimal("0.01")
ENTRY, EXIT, NEXT_ENTRY = "k3f000001e0001", "k3f000001x0001", "k3f000002e0001"
ASK_EVERY_S = 1.0
"""The engine asks for an order of which it knows nothing every second at first."""


def measure() -> list[str]:
    return [asyncio.run(outlasted(away_s)).told for away_s in OUTAGES_S]


@dataclass(frozen=True, slots=True)
class Returned:
    """Seconds from the moment at which the exchange listened again."""

    away_s: float
    prices_s: float
    """Until each symbol had a price."""
    reports_s: float
    """Until order reports flowed by their stream."""
    circuit_s: float
    look_up_s: float
    """Until it was known what became of an exit that was sent into the outage."""
    entry_s: float
    """Until the report of a new entry, sent as soon as there were reports, had come by the stream."""

    @property
    def slowest_s(self) -> float:
        return max(self.prices_s, self.reports_s, self.circuit_s, self.look_up_s, self.entry_s)

    @property
    def told(self) -> str:
        return (
            f"away for {self.away_s:.0f} s, {len(SYMBOLS)} symbols: every price {self.prices_s:.2f} s after its"
            f" return, order reports {self.reports_s:.2f} s, a closed circuit {self.circuit_s:.2f} s, the outcome"
            f" of an exit {self.look_up_s:.2f} s, the report of a new entry {self.entry_s:.2f} s (5 allowed)"
        )


class Away:
    """A rehearsal exchange that can go away, and come back on the same port with the same account."""

    def __init__(self, settings: RehearsalSettings) -> None:
        self._settings = settings
        self._stack = ExitStack()

    def begin(self) -> Beside:
        beside = self._stack.enter_context(rehearsing(self._settings))
        self._settings = replace(self._settings, port=beside.server.port)
        return beside

    def end(self) -> None:
        self._stack.close()


@dataclass(slots=True)
class _Seen:
    """Moments by `time.monotonic`; 0 for what has not been."""

    not_closed_at_s: float = 0.0
    not_reporting_at_s: float = 0.0
    looked_up_at_s: float = 0.0
    reported_at_s: dict[str, float] = field(default_factory=dict)


async def outlasted(away_s: float) -> Returned:
    """The real client on twenty symbols, with a position whose exit is sent while nobody listens."""
    with TemporaryDirectory() as directory:
        place = Path(directory)
        exchange = Away(
            RehearsalSettings(symbols=SYMBOLS, ticks_per_s=TICKS_PER_S, state=place / "exchange.json")
        )
        try:
            beside = await asyncio.to_thread(exchange.begin)
            async with opened(settings_on(beside.server, place), SYMBOLS, SystemClock()) as venue:
                assert isinstance(venue, CcxtExchange)
                return await _outlasted(venue, exchange, away_s)
        finally:
            await asyncio.to_thread(exchange.end)


async def _outlasted(venue: CcxtExchange, exchange: Away, away_s: float) -> Returned:
    seen = _Seen()
    async with heard_by(venue, SYMBOLS, lambda reports: _note(reports, seen)) as heard:
        await until(lambda: len(heard.at_s) == len(SYMBOLS) and bool(heard.gaps_s))
        await venue.create_order(OrderRequest(ENTRY, SYMBOL, "buy", "market", AMOUNT))
        await asyncio.to_thread(exchange.end)
        came_back = asyncio.Event()
        tasks = [
            asyncio.create_task(_look(venue, seen)),
            asyncio.create_task(_leave(venue, came_back, seen)),
        ]
        await asyncio.sleep(away_s)
        heard.first_s.clear()
        await asyncio.to_thread(exchange.begin)
        back_at_s = time.monotonic()
        came_back.set()
        tasks.append(asyncio.create_task(_enter(venue)))
        await until(lambda: _is_all_back(heard, seen))
        await end_tasks(tasks)
    if not seen.not_closed_at_s:
        raise RuntimeError("the circuit did not open, so that nothing was measured")
    return Returned(
        away_s,
        max(heard.first_s.values()) - back_at_s,
        max(seen.not_reporting_at_s - back_at_s, 0.0),
        max(seen.not_closed_at_s - back_at_s, 0.0),
        seen.looked_up_at_s - back_at_s,
        seen.reported_at_s[NEXT_ENTRY] - back_at_s,
    )


def _is_all_back(heard: Heard, seen: _Seen) -> bool:
    return len(heard.first_s) == len(SYMBOLS) and seen.looked_up_at_s > 0 and NEXT_ENTRY in seen.reported_at_s


def _note(reports: list[OrderReport], seen: _Seen) -> None:
    for report in reports:
        seen.reported_at_s.setdefault(report.client_order_id, time.monotonic())


async def _look(venue: CcxtExchange, seen: _Seen) -> None:
    while True:
        if not _reports(venue):
            seen.not_reporting_at_s = time.monotonic()
        if venue.breaker_status().circuit is not Circuit.CLOSED:
            seen.not_closed_at_s = time.monotonic()
        await asyncio.sleep(0.005)


def _reports(venue: CcxtExchange) -> bool:
    told = venue.order_stream_status()
    return told.source == Source.STREAM and told.is_connected and not told.fault


async def _leave(venue: CcxtExchange, came_back: asyncio.Event, seen: _Seen) -> None:
    """An exit whose outcome nobody knows, looked up until there is an answer."""
    with suppress(OutcomeUnknown):
        await venue.create_order(OrderRequest(EXIT, SYMBOL, "sell", "market", AMOUNT / 2))
    while True:
        with suppress(QueryFailed):
            await venue.fetch_order(EXIT, SYMBOL)
            if came_back.is_set():
                seen.looked_up_at_s = time.monotonic()
                return
        await asyncio.sleep(ASK_EVERY_S)


async def _enter(venue: CcxtExchange) -> None:
    """As soon as entries are let through again, and their reports would be heard."""
    while venue.entry_refusal() or not _reports(venue):  # noqa: ASYNC110 - no event tells both
        await asyncio.sleep(0.005)
    await venue.create_order(OrderRequest(NEXT_ENTRY, SYMBOL, "buy", "market", AMOUNT))
