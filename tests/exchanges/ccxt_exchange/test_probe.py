"""An exchange that stopped answering is asked on purpose until it is back, and never while it asked for quiet."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.clocks import SystemClock
from services.exchanges.ccxt_exchange import probe
from services.exchanges.ccxt_exchange.breaker import Circuit
from services.exchanges.ccxt_exchange.client import Clients
from services.exchanges.ccxt_exchange.connector import CcxtExchange
from services.exchanges.ccxt_exchange.feeds import Feeds
from services.exchanges.ccxt_exchange.order_stream import OrderStream
from tests.exchanges.ccxt_exchange.scripted import Connected, Reply, binance, exchange
from tests.exchanges.ccxt_exchange.streams import until

ACCOUNT = "GET /api/v3/account"
TIME = "GET /api/v3/time"
AWAY = Reply("<html><head><title>503 Service Unavailable</title></head></html>", 503)
BALANCES = {"makerCommission": 10, "balances": [{"asset": "BTC", "free": "1", "locked": "0"}]}


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    async with binance() as made:
        hasten(made.clients)
        made.server.heard.clear()
        yield made


def hasten(clients: Clients, pause_ms: int = 50) -> None:
    clients.breaker._pause_min_ms = clients.breaker._pause_max_ms = pause_ms


def is_closed(connected: Connected) -> bool:
    return connected.clients.breaker.status().circuit is Circuit.CLOSED


async def test_an_open_circuit_closes_although_nobody_asks_anything(connected: Connected) -> None:
    connected.server.on(ACCOUNT, AWAY, Reply(is_dropped=True), Reply("garbage"), BALANCES)
    connected.clients.breaker.note_failure("away", is_grave=True)
    await until(lambda: is_closed(connected))
    assert len(connected.server.requests(ACCOUNT)) == len(connected.server.heard) == 4


async def test_time_and_prices_that_go_on_during_a_maintenance_close_no_circuit_of_an_account(
    connected: Connected,
) -> None:
    connected.server.on(ACCOUNT, AWAY)
    connected.clients.breaker.note_failure("away", is_grave=True)
    await until(lambda: len(connected.server.requests(ACCOUNT)) >= 3)
    assert not is_closed(connected)
    assert connected.server.requests(TIME) == []


async def test_without_keys_the_time_is_asked_and_a_price_where_there_is_no_time() -> None:
    async with exchange("kraken", {"public": "", "private": ""}, {}) as at:
        hasten(at.clients)
        at.server.on("GET /0/public/Time", {"error": [], "result": {"unixtime": 1_700_000_000}})
        at.clients.breaker.note_failure("away", is_grave=True)
        await until(lambda: is_closed(at))
        assert [heard.path for heard in at.server.heard] == ["/0/public/Time"]
        at.server.heard.clear()
        at.clients.queries.has["fetchTime"] = False
        at.clients.breaker.note_failure("away", is_grave=True)
        await until(lambda: bool(at.server.heard))
        assert {heard.path for heard in at.server.heard} == {"/0/public/Ticker"}


async def test_nothing_is_asked_while_the_exchange_wants_quiet_and_at_its_end_one_question_at_once(
    connected: Connected,
) -> None:
    """Whatever shows a sign of life meanwhile."""
    connected.server.on(ACCOUNT, BALANCES)
    breaker, heard_ms = connected.clients.breaker, []
    breaker.when_closed(lambda: heard_ms.append(connected.clients.now_ms()))
    for ask_for_quiet in (
        partial(breaker.keep_quiet, 700, "banned"),
        partial(breaker.note_failure, "maintenance", pause_ms=700),
    ):
        connected.server.heard.clear()
        heard_ms.clear()
        ask_for_quiet()
        until_ms = breaker.status().until_ms or 0
        while connected.clients.now_ms() < until_ms - 20:
            connected.clients.probe.hurry()
            assert connected.server.heard == []
            await asyncio.sleep(0.01)
        await until(lambda: is_closed(connected))
        assert 0 <= heard_ms[0] - until_ms < 500
        assert len(connected.server.heard) == 1


async def test_a_sign_of_life_is_followed_at_once(connected: Connected) -> None:
    hasten(connected.clients, 3_600_000)
    connected.server.on(ACCOUNT, BALANCES)
    connected.clients.breaker.note_failure("away", is_grave=True)
    await asyncio.sleep(0.05)
    assert connected.server.heard == []
    connected.clients.probe.hurry()
    await until(lambda: is_closed(connected))


async def test_a_probe_that_hangs_keeps_no_other_back(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "ASKED_AGAIN_AFTER_S", 0.2)
    connected.server.on(ACCOUNT, Reply(delay_s=20), BALANCES)
    connected.clients.breaker.note_failure("away", is_grave=True)
    async with asyncio.timeout(5):
        await until(lambda: is_closed(connected))
    assert len(connected.server.requests(ACCOUNT)) == 2


async def test_a_circuit_that_opens_again_is_probed_again(connected: Connected) -> None:
    connected.server.on(ACCOUNT, BALANCES)
    breaker = connected.clients.breaker
    breaker.when_closed(lambda: breaker.note_failure("away", is_grave=len(connected.server.heard) < 3))
    breaker.note_failure("away", is_grave=True)
    await until(lambda: is_closed(connected) and len(connected.server.heard) == 3)


async def test_nothing_is_probed_once_it_is_closed(connected: Connected) -> None:
    connected.server.on(ACCOUNT, AWAY)
    connected.clients.breaker.note_failure("away", is_grave=True)
    await until(lambda: bool(connected.server.heard))
    await connected.clients.close()
    heard = len(connected.server.heard)
    connected.clients.breaker.note_failure("away", is_grave=True)
    await asyncio.sleep(0.2)
    assert len(connected.server.heard) == heard


async def test_when_questions_are_answered_again_the_books_are_compared_and_streams_are_dialled(
    connected: Connected,
) -> None:
    hasten(connected.clients, 3_600_000)
    connected.server.on(ACCOUNT, BALANCES)
    clients, desk, compared = connected.clients, connected.desk, []
    prices = Feeds(clients.market_data, SystemClock(), stale_after_s=30)
    reports = OrderStream(clients.queries, desk, desk.read)
    venue = CcxtExchange(clients, connected.account, desk, prices, reports)
    venue.when_reports_were_missed(lambda: compared.append(1))
    clients.follow(prices)
    clients.follow(reports)
    refused = asyncio.create_task(prices.dials.refused_turn("BTC/USDT", 100, 3_600.0))
    clients.breaker.note_failure("away", is_grave=True)
    await asyncio.sleep(0.05)
    assert not compared
    assert not connected.server.heard
    prices.connections._on_connected(lambda *_: None, None)
    await until(lambda: is_closed(connected))
    assert compared == [1]
    async with asyncio.timeout(1):
        await refused
    await venue.close()
