"""Whether the account's order reports come: subscribed to as the engine does, for a moment, and told if it was not."""

import asyncio

from dirigent.configuration.settings import Settings
from dirigent.doctor.findings import Findings, Verdict
from services.exchanges.ccxt_exchange.account import CcxtAccount
from services.exchanges.ccxt_exchange.client import Clients
from services.exchanges.ccxt_exchange.desk import CcxtDesk
from services.exchanges.ccxt_exchange.order_stream import OrderStream
from services.messages import QueryFailed
from services.tasks import end_tasks

SUBSCRIBED_WITHIN_S = 10.0
_FAULT_LASTS_S = 3.0
"""So long the stream may try again before what it met is believed."""
_LOOK_EVERY_S = 0.05
NAME = "order reports"
_REMEDY = "check the keys and their permissions, exchange.options.urls, and the way to the exchange's streams"


async def note_order_reports(
    findings: Findings, clients: Clients, settings: Settings, why_not: str = ""
) -> None:
    """Tries them with live keys alone; `why_not` says that these cannot be used."""
    way = "the exchange streams them" if clients.capabilities.order_stream else "they would be asked for"
    if settings.mode != "live":
        why_not = "orders fill on paper, and their reports come from this process"
    if why_not:
        findings.note(NAME, Verdict.UNTOLD, f"not tried: {why_not} ({way})")
        return
    symbols = [pair.symbol for pair in settings.pairs if pair.symbol in clients.queries.markets]
    account = CcxtAccount(clients)
    desk = CcxtDesk(clients, account, symbols)
    if clients.capabilities.order_stream:
        await _note_stream(findings, clients, desk)
    else:
        await _note_questions(findings, desk)


async def _note_stream(findings: Findings, clients: Clients, desk: CcxtDesk) -> None:
    stream = OrderStream(clients.queries, desk, desk.read, on_clock_fault=clients.notice_clock)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        fault = await _fault_of(stream)
    finally:
        await stream.close()
    if fault:
        words = f"not streamed: {fault}; the engine asks for them instead, later and at more cost"
        findings.note(NAME, Verdict.FAULT, words, _REMEDY)
    else:
        findings.note(NAME, Verdict.OK, f"streamed: subscribed after {loop.time() - began_s:.1f} s")


async def _fault_of(stream: OrderStream) -> str:
    """Empty once it is subscribed."""
    subscribed = asyncio.Event()
    stream.when_reports_were_missed(subscribed.set)  # told when the subscription is answered
    reading = asyncio.create_task(_read(stream))
    fault_since_s: float | None = None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
            while not subscribed.is_set():
                fault = stream.status().fault
                if not fault:
                    fault_since_s = None
                elif fault_since_s is None:
                    fault_since_s = loop.time()
                elif loop.time() - fault_since_s > _FAULT_LASTS_S:
                    return fault
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        return stream.status().fault or f"the subscription was not answered within {SUBSCRIBED_WITHIN_S:g} s"
    finally:
        await end_tasks((reading,))
    return ""


async def _read(stream: OrderStream) -> None:
    """Until it is closed. A report that comes meanwhile concerns the engine, and none is lost to it by this."""
    try:
        while True:
            await stream.watch_orders()
    except QueryFailed:
        return


async def _note_questions(findings: Findings, desk: CcxtDesk) -> None:
    try:
        listed = await desk.fetch_open_orders()
    except QueryFailed as error:
        findings.note(NAME, Verdict.FAULT, f"open orders are not told: {error}", _REMEDY)
        return
    words = f"asked for, as there is no stream of them: {len(listed)} open orders"
    findings.note(NAME, Verdict.OK, words)
