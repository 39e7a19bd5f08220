"""The order stream over the real ccxt client: gaps are told, hints stay hints, and nothing waits for ever."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from loguru import logger

from services.exchanges.ccxt_exchange import order_stream
from services.exchanges.ccxt_exchange.feeds import Source
from services.exchanges.ccxt_exchange.order_stream import OrderStream
from services.exchanges.ccxt_exchange.parsing import report_of
from services.messages import OrderReport, OrderStatus, QueryFailed
from tests.exchanges.ccxt_exchange.streams import Streams, streams, until

BTC = "BTC/USDT"


class Books:
    """The truth, for the questions of an exchange without a stream."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderReport] = {}
        self.answers = True
        self.asked: list[str] = []

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        self.asked.append(client_order_id)
        return self.orders.get(client_order_id)

    async def fetch_open_orders(self) -> list[OrderReport]:
        if not self.answers:
            raise QueryFailed("no answer")
        return [order for order in self.orders.values() if order.status is OrderStatus.OPEN]


def event(
    state: str, *, filled: str = "0", trade: int = -1, fee: str = "0", order: int = 7
) -> dict[str, Any]:
    return {
        "e": "executionReport", "E": 1, "s": "BTCUSDT", "c": f"d{order}", "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "2", "p": "100.10", "P": "0", "F": "0", "g": -1, "C": "", "x": "TRADE" if trade >= 0 else state,
        "X": state, "r": "NONE", "i": order, "l": "1" if trade >= 0 else "0", "z": filled, "L": "100.10", "n": fee,
        "N": "BNB" if fee != "0" else None, "T": 1, "t": trade, "I": 1, "w": True, "m": False, "M": False, "O": 1,
        "Z": "0", "Y": "0", "Q": "0",
    }  # fmt: skip


@asynccontextmanager
async def reports(
    server: Streams,
    books: Books | None = None,
    on_clock_fault: Callable[[], None] = lambda: None,
    **has: bool,
) -> AsyncIterator[OrderStream]:
    from services.exchanges.ccxt_exchange.instance import mannered_class

    exchange: Any = mannered_class("binance")(server.options())
    exchange.has.update(has)
    await exchange.load_markets()
    made = OrderStream(
        exchange, books or Books(), report_of, poll_every_s=0.02, on_clock_fault=on_clock_fault
    )
    try:
        yield made
    finally:
        await made.close()
        await exchange.close()


async def heard(made: OrderStream) -> list[OrderReport]:
    async with asyncio.timeout(10):
        return await made.watch_orders()


async def first_report(server: Streams, made: OrderStream) -> OrderReport:
    """Of a new order, which is the first that the stream tells of."""
    waiting = asyncio.create_task(heard(made))
    await server.users()
    await server.push_user(event("NEW"))
    (told,) = await waiting
    return told


async def test_a_fill_is_reported_with_its_trade_and_its_fee_to_the_last_digit() -> None:
    async with streams() as server, reports(server) as made:
        new = await first_report(server, made)
        assert (new.status, new.filled) == (OrderStatus.OPEN, Decimal(0))
        await server.push_user(event("PARTIALLY_FILLED", filled="1", trade=1, fee="0.000000012345678901"))
        await until(lambda: bool(made._reports))
        (part,) = await heard(made)
        (fill,) = part.fills
        assert (fill.id, fill.fee, fill.fee_currency) == ("1", Decimal("0.000000012345678901"), "BNB")
        assert part.filled == 1


async def test_each_of_several_trades_keeps_its_own_fee() -> None:
    """ccxt sums an order's fees as floats, and drops those that are strings."""
    async with streams() as server, reports(server) as made:
        waiting = asyncio.create_task(heard(made))
        await server.users()
        await server.push_user(
            event("NEW"),
            event("PARTIALLY_FILLED", filled="1", trade=1, fee="0.1"),
            event("FILLED", filled="2", trade=2, fee="0.2"),
        )
        told = await waiting
        while told[-1].status != OrderStatus.CLOSED:
            told += await heard(made)
        assert {fill.id: fill.fee for fill in told[-1].fills} == {"1": Decimal("0.1"), "2": Decimal("0.2")}


async def test_what_was_reported_does_not_change_with_the_next_message() -> None:
    async with streams() as server, reports(server) as made:
        first = await first_report(server, made)
        await server.push_user(event("FILLED", filled="2", trade=1, fee="0.1"))
        await heard(made)
        assert (first.status, first.filled, first.fills) == (OrderStatus.OPEN, Decimal(0), ())


async def test_a_fill_without_its_fee_is_left_to_a_look_up() -> None:
    async with streams() as server, reports(server) as made:
        await first_report(server, made)
        feeless = event("FILLED", filled="2", trade=1)
        del feeless["n"], feeless["N"]
        await server.push_user(feeless)
        (told,) = await heard(made)
        assert (told.filled, told.fills) == (Decimal(2), ())


async def test_each_connect_asks_for_a_comparison_of_the_books_once_reports_flow() -> None:
    gaps: list[int] = []
    async with streams() as server, reports(server) as made:
        made.when_reports_were_missed(lambda: gaps.append(server.user_connects))
        waiting = asyncio.create_task(heard(made))
        await server.users()
        await until(lambda: gaps == [1])
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        await server.drop()
        await until(lambda: gaps == [1, 2])
        assert loop.time() - since_s < 5
        await server.push_user(event("NEW"))
        assert (await waiting)[0].client_order_id == "d7"
        assert made.status().is_connected


async def test_a_drop_while_nobody_waits_is_noticed() -> None:
    gaps: list[int] = []
    async with streams() as server, reports(server) as made:
        made.when_reports_were_missed(lambda: gaps.append(1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await made.watch_orders()
        await server.users()
        await until(lambda: len(gaps) == 1)
        await server.drop()
        await until(lambda: len(gaps) == 2)


async def test_a_first_wait_that_is_cut_short_leaves_the_stream_alive() -> None:
    async with streams() as server, reports(server) as made:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await made.watch_orders()
        assert (await first_report(server, made)).client_order_id == "d7"
        assert server.user_connects == 1


async def test_a_subscription_that_is_not_answered_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_stream, "SUBSCRIBED_WITHIN_S", 0.3)
    async with streams() as server, reports(server) as made:
        server.answers_subscriptions = False
        waiting = asyncio.create_task(heard(made))
        await until(lambda: "not answered" in made.fault)
        server.answers_subscriptions = True
        await server.users()
        await server.push_user(event("NEW"))
        assert (await waiting)[0].client_order_id == "d7"


async def test_a_subscription_that_is_refused_says_why_and_is_tried_again_soon() -> None:
    clocks: list[int] = []
    async with streams() as server, reports(server, on_clock_fault=lambda: clocks.append(1)) as made:
        server.refusal = {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
        waiting = asyncio.create_task(heard(made))
        await until(lambda: "-1021" in made.fault)
        assert clocks
        server.refusal = None
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        await server.users()
        assert loop.time() - since_s < 5
        await server.push_user(event("NEW"))
        assert (await waiting)[0].client_order_id == "d7"


@pytest.mark.parametrize("frame", ['{"subscriptionId": 0, "event": {"e": "exec', "[]"], ids=["cut", "empty"])
async def test_a_message_that_cannot_be_read_asks_for_a_comparison(frame: str) -> None:
    gaps: list[int] = []
    async with streams() as server, reports(server) as made:
        made.when_reports_were_missed(lambda: gaps.append(1))
        waiting = asyncio.create_task(heard(made))
        await server.users()
        await until(lambda: len(gaps) == 1)
        await server.push_user(frame, event("NEW"))
        assert (await waiting)[0].client_order_id == "d7"
        assert len(gaps) == 2
        assert server.user_connects == 1


async def test_without_a_stream_questions_find_what_became_of_each_order() -> None:
    books = Books()
    async with streams() as server, reports(server, books, watchOrders=False) as made:
        order = OrderReport("d1", BTC, "1", OrderStatus.OPEN)
        books.orders["d1"] = order
        made.expect(replace(order, client_order_id="d2", exchange_order_id="2"))
        books.orders["d2"] = OrderReport("d2", BTC, "2", OrderStatus.CLOSED, Decimal(1))
        waiting = asyncio.create_task(heard(made))
        (ended,) = await waiting
        assert (ended.client_order_id, ended.filled) == ("d2", Decimal(1))
        books.answers = False
        books.orders["d1"] = replace(order, status=OrderStatus.CANCELED)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await made.watch_orders()
        books.answers = True
        (ended,) = await heard(made)
        assert (ended.client_order_id, ended.status) == ("d1", OrderStatus.CANCELED)
        assert made.status().source == Source.POLLING
        assert server.user_connects == 0


async def test_a_stream_that_keeps_failing_is_replaced_by_questions() -> None:
    books = Books()
    async with streams() as server, reports(server, books) as made:
        server.takes_connections = False
        made.expect(OrderReport("d1", BTC, "1", OrderStatus.OPEN))
        books.orders["d1"] = OrderReport("d1", BTC, "1", OrderStatus.CLOSED, Decimal(2))
        (told,) = await heard(made)
        assert told.filled == 2
        assert made.status().source == Source.POLLING
        server.takes_connections = True
        await server.users()
        await until(lambda: made.status().source == Source.STREAM)


async def test_an_interruption_is_told_once_with_its_end_and_nothing_else_is_said_of_its_dials() -> None:
    """What nobody awaits would be written to stderr by asyncio, beside the log."""
    told: list[Any] = []
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(told))
    sink = logger.add(lambda message: told.append(message.record), level="INFO")
    try:
        async with streams() as server, reports(server) as made:
            await first_report(server, made)
            server.takes_connections = False
            await server.drop()
            await until(lambda: made.interruption is not None and made.interruption.failures >= 2)
            server.takes_connections = True
            await server.users(connects=2)
            await until(lambda: made.interruption is None)
            assert not made.fault
            server.refusal = {
                "code": -1021,
                "msg": "Timestamp for this request is outside of the recvWindow.",
            }
            await server.drop()
            await until(lambda: "-1021" in made.fault)
        gc.collect()
    finally:
        logger.remove(sink)
    assert unheard == []
    events = [record for record in told if record["message"].startswith("order_stream")]
    assert [record["message"] for record in events] == [
        "order_stream_interrupted",
        "order_stream_restored",
        "order_stream_interrupted",
    ]
    assert events[1]["extra"]["failures"] >= 2
    assert events[1]["extra"]["lasted_s"] > 0


async def test_a_token_in_a_streams_address_is_told_to_nobody() -> None:
    token = "?token=fake-stream-token"
    lines: list[str] = []
    sink = logger.add(lines.append, level="TRACE", format="{message} {extra}")
    try:
        async with streams() as server, reports(server) as made:
            made.exchange.urls["api"]["ws"]["ws-api"]["spot"] += token
            server.takes_connections = False
            waiting = asyncio.create_task(heard(made))
            await until(lambda: "503" in made.fault)
            told = made.fault
            server.takes_connections = True
            await server.users()
            await server.push_user(event("NEW"))
            await waiting
    finally:
        logger.remove(sink)
    assert "token" not in told + "".join(lines)


async def test_a_closed_stream_wakes_who_waits() -> None:
    async with streams() as server, reports(server) as made:
        waiting = asyncio.create_task(made.watch_orders())
        await server.users()
        await made.close()
        with pytest.raises(QueryFailed, match="closed"):
            await waiting


async def test_what_the_stream_saw_end_is_not_asked_for_when_the_stream_fails() -> None:
    books = Books()
    async with streams() as server, reports(server, books) as made:
        made.expect(OrderReport("d7", BTC, "7", OrderStatus.OPEN))
        waiting = asyncio.create_task(heard(made))
        await server.users()
        await server.push_user(event("CANCELED"))
        assert (await waiting)[0].status == OrderStatus.CANCELED
        server.takes_connections = False
        await server.drop()
        await until(lambda: made.status().source == Source.POLLING)
        made.expect(OrderReport("d8", BTC, "8", OrderStatus.OPEN))
        books.orders["d8"] = OrderReport("d8", BTC, "8", OrderStatus.CLOSED, Decimal(1))
        assert [report.client_order_id for report in await heard(made)] == ["d8"]
        assert books.asked == ["d8"]
