"""What becomes of a cancel, by what the exchange's HTTP server does; the client is real ccxt for Binance."""

import pytest

from services.exchanges.ccxt_exchange.outcomes import OutcomeUnknown
from services.messages import CancelRefused, OrderStatus, QueryFailed
from tests.exchanges.ccxt_exchange.scripted import SYMBOL, Connected, Reply, order, said
from tests.exchanges.ccxt_exchange.shapes.binance import binance_order
from tests.exchanges.ccxt_exchange.shapes.story import NAME

CREATE, CANCEL, QUERY = "POST /api/v3/order", "DELETE /api/v3/order", "GET /api/v3/order"


async def test_a_cancel_reports_what_the_order_ended_with(connected: Connected) -> None:
    named = {"clientOrderId": "the cancel's own", "origClientOrderId": NAME}
    connected.server.on(CANCEL, binance_order(status="CANCELED", executedQty="0.2", **named))
    report = await connected.desk.cancel_order(NAME, SYMBOL)
    assert (report.status, str(report.filled)) == (OrderStatus.CANCELED, "0.2")
    (sent,) = connected.server.requests(CANCEL)
    assert sent.parameters["origClientOrderId"] == NAME
    assert connected.server.requests(QUERY) == []


async def test_a_cancel_of_an_order_that_is_not_there_is_refused(connected: Connected) -> None:
    connected.server.on(CANCEL, said(-2011, "Unknown order sent."))
    with pytest.raises(CancelRefused):
        await connected.desk.cancel_order(NAME, SYMBOL)


async def test_a_cancel_whose_first_copy_worked_looks_refused_and_has_to_be_looked_up(
    connected: Connected,
) -> None:
    """aiohttp repeats a DELETE by itself when a kept connection drops: our own cancel can answer "unknown order"."""
    connected.server.on(CREATE, binance_order())
    await connected.desk.create_order(order("buy", "0.5", "100"))  # from here a connection is kept open
    connected.server.on(CANCEL, Reply(is_dropped=True), said(-2011, "Unknown order sent."))
    with pytest.raises(CancelRefused):
        await connected.desk.cancel_order(NAME, SYMBOL)
    assert len(connected.server.requests(CANCEL)) == 2
    connected.server.on(QUERY, binance_order(status="CANCELED"))
    report = await connected.desk.fetch_order(NAME, SYMBOL)
    assert report is not None
    assert report.status is OrderStatus.CANCELED


async def test_a_cancel_without_an_answer_has_no_outcome(connected: Connected) -> None:
    for reply in (Reply("oops", 500), Reply("<html>", 599), said(-1007, "Timeout")):
        connected.calm_down()
        connected.server.on(CANCEL, reply)
        connected.server.on(QUERY, Reply("oops", 400))
        with pytest.raises((OutcomeUnknown, QueryFailed)):
            await connected.desk.cancel_order(NAME, SYMBOL)


async def test_a_cancel_that_was_only_noted_is_followed_by_a_question(connected: Connected) -> None:
    connected.server.on(CANCEL, Reply({}))
    connected.server.on(QUERY, binance_order())
    assert (await connected.desk.cancel_order(NAME, SYMBOL)).status is OrderStatus.OPEN
    connected.server.on(QUERY, binance_order(status="CANCELED"))
    assert (await connected.desk.cancel_order(NAME, SYMBOL)).status is OrderStatus.CANCELED
