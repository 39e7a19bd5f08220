"""Finding orders, their fills and their fees; a source that does not answer proves nothing."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from time import monotonic

import pytest

from fsm.records import Fill
from services.exchanges.ccxt_exchange.breaker import Circuit
from services.messages import KeysRefused, OrderRequest, OrderStatus, QueryFailed
from tests.exchanges.ccxt_exchange.scripted import SYMBOL, Connected, Reply, binance, order, said
from tests.exchanges.ccxt_exchange.shapes.binance import binance_order, binance_trade
from tests.exchanges.ccxt_exchange.shapes.story import NAME

QUERY, OPEN, ALL = "GET /api/v3/order", "GET /api/v3/openOrders", "GET /api/v3/allOrders"
TRADES, ACCOUNT, TIME = "GET /api/v3/myTrades", "GET /api/v3/account", "GET /api/v3/time"
ABSENT = said(-2013, "Order does not exist.")


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    async with binance(timeout=300, rateLimit=5) as at_binance:
        yield at_binance


async def test_a_found_order_has_its_fills_with_the_fee_each_was_charged(connected: Connected) -> None:
    connected.server.on(QUERY, binance_order(status="PARTIALLY_FILLED", executedQty="0.30000000"))
    connected.server.on(
        TRADES,
        [
            binance_trade(7, "0.20000000", "100.00", "0.00020000", "BTC"),
            binance_trade(8, "0.10000000", "99.99", "0.00001234", "BNB"),
        ],
    )
    report = await connected.desk.fetch_order(NAME, SYMBOL)
    assert report is not None
    assert (report.status, report.filled) == (OrderStatus.OPEN, Decimal("0.3"))
    at_ms = 1_700_000_000_600
    in_base = Fill("7", NAME, SYMBOL, "buy", Decimal("0.2"), Decimal(100), Decimal("0.0002"), "BTC", at_ms)
    in_third = Fill(
        "8", NAME, SYMBOL, "buy", Decimal("0.1"), Decimal("99.99"), Decimal("0.00001234"), "BNB", at_ms
    )
    assert report.fills == (in_base, in_third)
    (asked,) = connected.server.requests(TRADES)
    assert asked.parameters["orderId"] == "28"


async def test_a_market_order_that_ran_out_of_sellers_is_judged_by_what_filled(connected: Connected) -> None:
    connected.server.on(QUERY, binance_order(type="MARKET", status="EXPIRED", executedQty="0.1"))
    connected.server.on(TRADES, [binance_trade(7, "0.1", "100", "0.0001", "BTC")])
    report = await connected.desk.fetch_order(NAME, SYMBOL)
    assert report is not None
    assert (report.status, report.filled) == (OrderStatus.EXPIRED, Decimal("0.1"))
    assert [fill.amount for fill in report.fills] == [Decimal("0.1")]


async def test_trades_of_other_orders_are_left_out(connected: Connected) -> None:
    connected.server.on(QUERY, binance_order(executedQty="0.1"))
    other = binance_trade(6, "0.4", "100", "0", "BTC") | {"orderId": 27}
    connected.server.on(TRADES, [other, binance_trade(7, "0.1", "100", "0.0001", "BTC")])
    report = await connected.desk.fetch_order(NAME, SYMBOL)
    assert report is not None
    assert [fill.id for fill in report.fills] == ["7"]


async def test_trades_that_lag_behind_show_in_what_filled(connected: Connected) -> None:
    connected.server.on(QUERY, binance_order(status="FILLED", executedQty="0.5"))
    connected.server.on(TRADES, [])
    report = await connected.desk.fetch_order(NAME, SYMBOL)
    assert report is not None
    assert (report.filled, report.fills) == (Decimal("0.5"), ())
    connected.server.on(TRADES, [], [binance_trade(7, "0.5", "100", "0.0005", "BTC")])
    report = await connected.desk.fetch_order(NAME, SYMBOL)
    assert report is not None
    assert [fill.id for fill in report.fills] == ["7"]


async def test_there_is_no_such_order_only_when_every_source_says_so(connected: Connected) -> None:
    connected.server.on(QUERY, ABSENT)
    connected.server.on(OPEN, [])
    connected.server.on(ALL, [binance_order(clientOrderId="another", orderId=29)])
    assert await connected.desk.fetch_order(NAME, SYMBOL) is None
    assert [len(connected.server.requests(route)) for route in (QUERY, OPEN, ALL)] == [1, 1, 1]


async def test_an_order_that_only_the_history_knows_is_found(connected: Connected) -> None:
    connected.server.on(QUERY, ABSENT)
    connected.server.on(OPEN, [])
    connected.server.on(ALL, [binance_order(status="FILLED", executedQty="0.5")])
    connected.server.on(TRADES, [binance_trade(7, "0.5", "100", "0.0005", "BTC")])
    report = await connected.desk.fetch_order(NAME, SYMBOL)
    assert report is not None
    assert (report.status, report.fills[0].amount) == (OrderStatus.CLOSED, Decimal("0.5"))


@pytest.mark.parametrize("silent", [QUERY, OPEN, ALL])
async def test_a_source_that_does_not_answer_is_no_proof_of_absence(
    connected: Connected, silent: str
) -> None:
    for reply in (Reply("oops", 503), Reply({}), Reply("<html>"), said(-1003, "Too many", 429)):
        connected.calm_down()
        connected.server.on(QUERY, ABSENT)
        connected.server.on(OPEN, [])
        connected.server.on(ALL, [])
        connected.server.on(silent, reply)
        with pytest.raises(QueryFailed):
            await connected.desk.fetch_order(NAME, SYMBOL)


async def test_an_answer_about_another_order_is_no_answer(connected: Connected) -> None:
    connected.server.on(QUERY, binance_order(clientOrderId="another"))
    with pytest.raises(QueryFailed, match="another"):
        await connected.desk.fetch_order(NAME, SYMBOL)


async def test_a_question_is_repeated_until_it_is_answered(connected: Connected) -> None:
    busy = said(-1008, "Server is currently overloaded with other requests.")
    for fault in (Reply("oops", 503), Reply(is_dropped=True), busy, said(-1021, "Timestamp"), Reply({})):
        connected.calm_down()
        connected.server.on(QUERY, fault, binance_order())
        before = len(connected.server.requests(QUERY))
        assert await connected.desk.fetch_order(NAME, SYMBOL) is not None
        assert len(connected.server.requests(QUERY)) - before == 2


async def test_a_clock_that_went_wrong_during_an_outage_is_compared_and_the_circuit_closes(
    connected: Connected,
) -> None:
    connected.server.on(QUERY, Reply("oops", 503))
    while connected.clients.breaker.status().circuit is Circuit.CLOSED:
        with pytest.raises(QueryFailed):
            await connected.desk.fetch_order(NAME, SYMBOL)
    connected.watch.ahead_ms += 120_000
    assert connected.clients.breaker.status().circuit is Circuit.HALF_OPEN
    before = len(connected.server.requests(TIME))
    connected.server.on(QUERY, said(-1021, "Timestamp for this request is outside of the recvWindow."))
    with pytest.raises(QueryFailed):
        await connected.desk.fetch_order(NAME, SYMBOL)
    assert len(connected.server.requests(TIME)) > before
    connected.server.on(QUERY, binance_order())
    assert await connected.desk.fetch_order(NAME, SYMBOL) is not None
    assert connected.clients.breaker.status().circuit is Circuit.CLOSED


async def test_a_question_that_the_exchange_refuses_is_not_repeated(connected: Connected) -> None:
    connected.server.on(QUERY, said(-2015, "Invalid API-key, IP, or permissions for action.", 401))
    with pytest.raises(KeysRefused, match="API-key"):
        await connected.desk.fetch_order(NAME, SYMBOL)
    assert len(connected.server.requests(QUERY)) == 1


async def test_a_credential_that_is_missing_is_a_matter_of_keys(connected: Connected) -> None:
    connected.clients.queries.secret = ""
    with pytest.raises(KeysRefused, match="not asked"):
        await connected.account.fetch_balance()
    assert connected.server.requests(ACCOUNT) == []


async def test_no_signature_is_told_in_an_error(connected: Connected) -> None:
    connected.server.on(QUERY, Reply("oops", 502))
    with pytest.raises(QueryFailed) as failure:
        await connected.desk.fetch_order(NAME, SYMBOL)
    assert "signature" not in str(failure.value)
    assert "fake-key" not in str(failure.value)


async def test_open_orders_are_listed_with_what_was_ordered_ours_or_not(connected: Connected) -> None:
    foreign = binance_order(clientOrderId="by-hand", orderId=5, side="SELL", origQty="2", price="120")
    connected.server.on(OPEN, [binance_order(), foreign])
    ours, other = await connected.desk.fetch_open_orders()
    assert ours.request == OrderRequest(NAME, SYMBOL, "buy", "limit", Decimal("0.5"), Decimal(100))
    assert (other.client_order_id, other.exchange_order_id) == ("by-hand", "5")
    assert other.request is not None
    assert (other.request.side, other.request.amount) == ("sell", Decimal(2))
    assert "symbol" not in connected.server.requests(OPEN)[0].parameters


async def test_a_failed_list_of_open_orders_is_not_an_empty_one(connected: Connected) -> None:
    for reply in (Reply({}), Reply("oops", 500), Reply("")):
        connected.calm_down()
        connected.server.on(OPEN, reply)
        with pytest.raises(QueryFailed):
            await connected.desk.fetch_open_orders()


async def test_balances_keep_every_digit(connected: Connected) -> None:
    held = {"asset": "BTC", "free": "0.1234567890123456789", "locked": "0.0000000000000000001"}
    connected.server.on(ACCOUNT, {"balances": [held], "makerCommission": 10})
    balances = await connected.account.fetch_balance()
    assert balances["BTC"].free == Decimal("0.1234567890123456789")
    assert balances["BTC"].total == Decimal("0.1234567890123456790")


async def test_a_garbled_balance_is_not_an_empty_account(connected: Connected) -> None:
    for reply in (Reply({}), Reply([]), Reply("<html>"), Reply({"makerCommission": 10})):
        connected.calm_down()
        connected.server.on(ACCOUNT, reply)
        with pytest.raises(QueryFailed):
            await connected.account.fetch_balance()
    connected.calm_down()
    connected.server.on(ACCOUNT, {"balances": []})
    assert await connected.account.fetch_balance() == {}


async def test_markets_tell_steps_and_minima(connected: Connected) -> None:
    rules = connected.account.market(SYMBOL)
    assert (rules.amount_step, rules.price_step) == (Decimal("0.00001"), Decimal("0.01"))
    assert (rules.amount_min, rules.cost_min) == (Decimal("0.00001"), Decimal(5))
    with pytest.raises(KeyError):
        connected.account.market("NOT/LISTED")


async def test_a_queue_of_questions_holds_no_order_back(connected: Connected) -> None:
    connected.server.on("GET /api/v3/ticker/price", {"symbol": "BTCUSDT", "price": "100"})
    connected.server.on("POST /api/v3/order", binance_order())
    queries = connected.clients.queries
    waiting = [asyncio.create_task(queries.fetch_time()) for _ in range(400)]
    await asyncio.sleep(0.01)
    began_s = monotonic()
    await connected.desk.create_order(order("buy", "0.5", "100"))
    took_s = monotonic() - began_s
    left = sum(not task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert left > 300
    assert took_s < 1


@pytest.mark.parametrize("status", [200, 503])
async def test_of_a_page_in_place_of_an_answer_its_title_is_told(connected: Connected, status: int) -> None:
    page = "<html><head><title>Bad Gateway</title></head><body><center>nginx</center></body></html>"
    connected.server.on(QUERY, Reply(page, status))
    with pytest.raises(QueryFailed) as failure:
        await connected.desk.fetch_order(NAME, SYMBOL)
    told = str(failure.value) + connected.clients.breaker.status().why
    assert "Bad Gateway" in told
    assert "<" not in told
