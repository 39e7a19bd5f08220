"""What becomes of an order, by what the exchange's HTTP server does; the client is real ccxt for Binance."""

import asyncio
from dataclasses import replace
from decimal import ROUND_FLOOR, Context, Decimal, Underflow, localcontext

import pytest

from services.exchanges.ccxt_exchange.breaker import Circuit
from services.exchanges.ccxt_exchange.client import make_clients
from services.exchanges.ccxt_exchange.options import BadOptions
from services.exchanges.ccxt_exchange.outcomes import OutcomeUnknown
from services.messages import OrderRefused, OrderStatus
from tests.exchanges.ccxt_exchange.scripted import SYMBOL, Connected, Reply, binance, order, said
from tests.exchanges.ccxt_exchange.shapes.binance import binance_order
from tests.exchanges.ccxt_exchange.shapes.story import NAME

CREATE = "POST /api/v3/order"


async def test_an_accepted_order_is_reported_open_under_its_client_id(connected: Connected) -> None:
    connected.server.on(CREATE, binance_order())
    report = await connected.desk.create_order(order("buy", "0.5", "100"))
    assert (report.client_order_id, report.exchange_order_id) == (NAME, "28")
    assert report.status is OrderStatus.OPEN
    (sent,) = connected.server.requests(CREATE)
    wanted = {"newClientOrderId": NAME, "quantity": "0.5", "price": "100", "recvWindow": "5000"}
    assert wanted.items() <= sent.parameters.items()


NAMELESS = (
    Reply('{"symbol":"BTCUSDT","orderId":2'),
    Reply("<html>busy</html>"),
    Reply({}),
    Reply([]),
    Reply(""),
    *(Reply("no json here", status) for status in (302, 523, 524, 599)),
)
"""Answers of success, or nearly, in which no order is named."""

REFUSALS = (
    said(-2010, "Account has insufficient balance for requested action."),
    said(-1013, "Filter failure: LOT_SIZE"),
    said(-1013, "Filter failure: NOTIONAL"),
    said(-1111, "Precision is over the maximum defined for this asset."),
    said(-1121, "Invalid symbol."),
    said(-2010, "Market is closed."),
    said(-2010, "Order would immediately match and take."),
    said(-2010, "This action is disabled on this account."),
    said(-1021, "Timestamp for this request is outside of the recvWindow."),
    Reply({"code": -1003, "msg": "Too many requests."}, 429),
    Reply({"code": -1003, "msg": "Way too many requests; IP banned."}, 418),
)

LOSSES = (
    Reply(is_dropped=True),
    *(Reply("oops", status) for status in (403, 500, 502, 503, 504)),
    said(-1000, "An unknown error occurred while processing the request."),
    said(-1001, "Internal error; unable to process your request. Please try again."),
    said(-1006, "An unexpected response was received from the message bus. Execution status unknown."),
    said(-1007, "Timeout waiting for response from backend server. Execution status unknown."),
    said(-1008, "Server is currently overloaded with other requests."),
    said(-9999, "A code that nobody knows."),
    said(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    said(-2010, "Duplicate order sent."),
    said(-1013, "Filter failure: NOTIONAL", 503),
    Reply('{"orderId":', headers={"Content-Length": "4000"}),
)


async def test_an_answer_that_does_not_name_the_order_leaves_it_unknown(connected: Connected) -> None:
    for count, reply in enumerate(NAMELESS, 1):
        connected.calm_down()
        connected.server.on(CREATE, reply)
        report = await connected.desk.create_order(order("buy", "0.5", "100"))
        assert report.exchange_order_id is None, reply
        assert len(connected.server.requests(CREATE)) == count


async def test_what_the_exchange_refused_by_name_is_surely_not_taken(connected: Connected) -> None:
    for reply in REFUSALS:
        connected.calm_down()
        connected.server.on(CREATE, reply)
        with pytest.raises(OrderRefused) as refusal:
            await connected.desk.create_order(order("buy", "0.5", "100"))
        assert "not sent" not in str(refusal.value), reply
    assert len(connected.server.requests(CREATE)) == len(REFUSALS)


async def test_everything_else_leaves_the_order_unknown_and_is_sent_once(connected: Connected) -> None:
    for count, reply in enumerate(LOSSES, 1):
        connected.calm_down()
        connected.server.on(CREATE, reply, binance_order())
        with pytest.raises(OutcomeUnknown):
            await connected.desk.create_order(order("buy", "0.5", "100"))
        assert len(connected.server.requests(CREATE)) == count, reply


async def test_an_answer_that_never_comes_leaves_the_order_unknown(connected: Connected) -> None:
    connected.server.on(CREATE, Reply(binance_order(), delay_s=0.8))
    with pytest.raises(OutcomeUnknown, match="RequestTimeout"):
        await connected.desk.create_order(order("sell", "0.5"))
    assert len(connected.server.requests(CREATE)) == 1


async def test_an_order_that_reached_nobody_counts_as_unknown_and_is_sent_once(connected: Connected) -> None:
    """Nothing that ccxt tells distinguishes a refused connection from one that broke after the request."""
    orders = connected.clients.orders
    orders.urls["api"]["private"] = "http://127.0.0.1:1/api/v3"
    with pytest.raises(OutcomeUnknown, match="ExchangeNotAvailable"):
        await connected.desk.create_order(order("buy", "0.5", "100"))
    assert connected.server.requests(CREATE) == []


async def test_an_order_that_ccxt_stops_before_it_goes_out_is_refused(connected: Connected) -> None:
    connected.clients.orders.secret = None
    with pytest.raises(OrderRefused, match="secret"):
        await connected.desk.create_order(order("buy", "0.5", "100"))
    assert connected.server.requests(CREATE) == []


async def test_a_cancelled_caller_gets_its_cancellation_and_no_verdict(connected: Connected) -> None:
    connected.server.on(CREATE, Reply(binance_order(), delay_s=0.3))
    sending = asyncio.create_task(connected.desk.create_order(order("buy", "0.5", "100")))
    await connected.server.until_heard(CREATE)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


BAD = (
    (order("buy", "0.000015", "100"), "amount 0.000015 of BTC/USDT is not a multiple of amount_step"),
    (order("buy", "0.5", "100.005"), "price 100.005 of BTC/USDT is not a multiple of price_step"),
    (order("buy", "0.00001", "100"), "is below cost_min 5"),
    (order("sell", "-1"), "amount -1 of BTC/USDT is not a finite number above zero"),
    (order("buy", "NaN", "100"), "not a finite number"),
    (replace(order("buy", "1"), symbol="XYZ/USDT"), "XYZ/USDT is not listed here"),
    (replace(order("buy", "1"), type="stop"), "type 'stop' is neither market nor limit"),
    (replace(order("buy", "1"), price=Decimal(100)), "a market order has no price"),
)


async def test_an_order_off_the_markets_rules_never_leaves_and_the_rule_is_named(
    connected: Connected,
) -> None:
    for request, why in BAD:
        with pytest.raises(OrderRefused) as refusal:
            await connected.desk.create_order(request)
        assert why in str(refusal.value)
    assert connected.server.requests(CREATE) == []


async def test_a_market_order_carries_coins_and_no_price(connected: Connected) -> None:
    connected.server.on(CREATE, binance_order(type="MARKET", status="FILLED", executedQty="0.5"))
    await connected.desk.create_order(order("buy", "0.5"))
    (sent,) = connected.server.requests(CREATE)
    assert sent.parameters["quantity"] == "0.5"
    assert not {"price", "quoteOrderQty"} & sent.parameters.keys()


async def test_the_threads_decimal_context_neither_rounds_an_order_nor_is_changed_by_it(
    connected: Connected,
) -> None:
    connected.server.on(CREATE, binance_order())
    with localcontext(Context(prec=3, rounding=ROUND_FLOOR, traps=[])) as context:
        await connected.desk.create_order(order("buy", "12345.67891", "98765.43"))
        assert (context.rounding, context.traps[Underflow]) == (ROUND_FLOOR, False)
    (sent,) = connected.server.requests(CREATE)
    assert (sent.parameters["quantity"], sent.parameters["price"]) == ("12345.67891", "98765.43")


async def test_a_refused_clock_is_compared_again_and_the_next_order_carries_the_difference(
    connected: Connected,
) -> None:
    connected.server.on(CREATE, said(-1021, "Timestamp for this request is outside of the recvWindow."))
    connected.server.on("GET /api/v3/time", {"serverTime": 1_600_000_000_000})
    with pytest.raises(OrderRefused):
        await connected.desk.create_order(order("buy", "0.5", "100"))
    assert connected.clients._resync is not None
    await connected.clients._resync
    connected.server.on(CREATE, binance_order())
    await connected.desk.create_order(order("buy", "0.5", "100"))
    late = int(connected.server.requests(CREATE)[-1].parameters["timestamp"])
    assert 0 <= late - 1_600_000_000_000 < 60_000


async def test_a_refusal_of_the_clock_is_an_answer_and_closes_the_circuit(connected: Connected) -> None:
    connected.clients.breaker.note_failure("away", is_grave=True)
    connected.watch.ahead_ms += 120_000
    connected.server.on(CREATE, said(-1021, "Timestamp for this request is outside of the recvWindow."))
    with pytest.raises(OrderRefused):
        await connected.desk.create_order(order("sell", "0.5"))
    assert connected.clients.breaker.status().circuit is Circuit.CLOSED


async def test_a_ban_is_kept_for_as_long_as_the_exchange_says(connected: Connected) -> None:
    connected.server.on(
        CREATE, Reply({"code": -1003, "msg": "Way too many."}, 418, {"Retry-After": "120"}), binance_order()
    )
    with pytest.raises(OrderRefused) as banned:
        await connected.desk.create_order(order("buy", "0.5", "100"))
    assert 115_000 < banned.value.wait_ms <= 120_000
    status = connected.clients.breaker.status()
    assert (status.circuit, status.is_ordered) == (Circuit.OPEN, True)
    left_ms = (status.until_ms or 0) - connected.clients.now_ms()
    assert 115_000 < left_ms <= 120_000
    with pytest.raises(OrderRefused, match="not sent") as unsent:
        await connected.desk.create_order(order("sell", "0.5"))
    assert 115_000 < unsent.value.wait_ms <= banned.value.wait_ms
    with pytest.raises(OutcomeUnknown, match="not sent"):
        await connected.desk.cancel_order(NAME, SYMBOL)
    assert len(connected.server.requests(CREATE)) == 1


async def test_while_the_exchange_does_not_answer_no_entry_is_sent_and_exits_are(
    connected: Connected,
) -> None:
    connected.server.on(CREATE, Reply("oops", 503))
    for _ in range(5):
        with pytest.raises(OutcomeUnknown):
            await connected.desk.create_order(order("buy", "0.5", "100"))
    with pytest.raises(OrderRefused, match="not sent"):
        await connected.desk.create_order(order("buy", "0.5", "100"))
    connected.server.on(CREATE, binance_order(side="SELL"))
    await connected.desk.create_order(order("sell", "0.5"))
    assert len(connected.server.requests(CREATE)) == 6
    assert connected.clients.breaker.status().circuit is Circuit.CLOSED


async def test_maintenance_opens_the_circuit_at_once(connected: Connected) -> None:
    connected.server.on(CREATE, said(-1, "System is under maintenance.", 503))
    with pytest.raises(OutcomeUnknown):
        await connected.desk.create_order(order("buy", "0.5", "100"))
    status = connected.clients.breaker.status()
    assert (status.circuit, status.is_ordered) == (Circuit.OPEN, False)
    assert "maintenance" in status.why


async def test_an_exchange_that_says_when_it_is_back_is_believed(connected: Connected) -> None:
    connected.server.on(CREATE, Reply("away", 503, {"Retry-After": "600"}))
    with pytest.raises(OutcomeUnknown):
        await connected.desk.create_order(order("buy", "0.5", "100"))
    status = connected.clients.breaker.status()
    assert 590_000 < (status.until_ms or 0) - connected.clients.now_ms() <= 600_000


def test_ccxts_own_repetition_of_lost_requests_is_refused() -> None:
    with pytest.raises(BadOptions, match="sent twice"):
        make_clients("binance", {"options": {"createOrder": {"maxRetriesOnFailure": 3}}})


async def test_the_window_is_short_and_lateness_is_counted_from_it(connected: Connected) -> None:
    assert connected.desk.late_arrival_ms == 15_000


async def test_a_window_from_the_configuration_counts(connected: Connected) -> None:
    async with binance(options={"recvWindow": 3_000}) as other:
        assert other.desk.late_arrival_ms == 13_000


async def test_a_call_after_close_is_refused(connected: Connected) -> None:
    await connected.clients.close()
    with pytest.raises(OrderRefused, match="closed"):
        await connected.desk.create_order(order("buy", "0.5", "100"))
    assert connected.server.requests(CREATE) == []
