"""What happened to the account's orders, as a stream tells it or as repeated questions find out.

A stream's reports are hints: what they lack is looked up, and after each gap in them the books have to be compared.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from loguru import logger

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.connections import Connections, serve
from services.exchanges.ccxt_exchange.dials import Dials
from services.exchanges.ccxt_exchange.feeds import Source
from services.exchanges.ccxt_exchange.order_polling import Desk, OrderPolling
from services.exchanges.ccxt_exchange.outcomes import is_of_network, words_of
from services.messages import OrderReport, QueryFailed
from services.tasks import end_tasks

ORDERS = "orders"
SUBSCRIBED_WITHIN_S = 4.0
SUBSCRIBED_WITHIN_MAX_S = 16.0
"""The patience doubles with each subscription that is not answered."""
STREAM_FAILURES_MAX = 3
UNHEARD_REPORTS_MAX = 10_000
_REFUSED_AGAIN_S = 4.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class OrderStreamStatus:
    """How order reports come in, for people. `gaps` counts the times when some may have been missed."""

    source: str
    is_connected: bool
    gaps: int
    fault: str


@dataclass(slots=True)
class Interruption:
    """From the loss of the stream until it is back, by the event loop's clock."""

    began_s: float
    failures: int = 0


class OrderStream:
    """The reports of one account, over an instance of `ccxt.pro` that serves no market data.

    `read` turns a ccxt order into a report, None where it cannot; fills that it leaves out, as having no fee yet, are
    looked up by the engine. `poll_every_s` is the pace of questions where there
    is no stream, or none that works. `on_clock_fault` is called when the subscription is refused for its time.
    """

    def __init__(
        self,
        exchange: Any,
        desk: Desk,
        read: Callable[[Mapping[str, Any]], OrderReport | None],
        *,
        poll_every_s: float = 3.0,
        on_clock_fault: Callable[[], None] = lambda: None,
    ) -> None:
        self.exchange = exchange
        _leave_fees_to_trades(exchange)
        self.connections = Connections(exchange)
        self.connections.when_connected(self._on_connected)
        self.dials = Dials()
        self.dials.follow(self.connections)
        self.interruption: Interruption | None = None
        self.connections.when_misread(lambda _: self._note_gap("a message could not be read"))
        self.gaps = 0
        self.fault = ""
        self.source = Source.STREAM if exchange.has.get("watchOrders") else Source.POLLING
        self._read = read
        self._on_clock_fault = on_clock_fault
        self._polling = OrderPolling(desk, poll_every_s)
        self._reports: deque[OrderReport] = deque()
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gap_told: list[Callable[[], None]] = []
        self._has_begun = self._is_closed = False
        self._unanswered = 0
        """Subscriptions in a row."""

    def hurry(self) -> None:
        """The exchange answers again: the stream is tried now."""
        self.dials.hurry()

    def when_reports_were_missed(self, call: Callable[[], None]) -> None:
        """Called whenever the stream is (again) connected, and whenever something on it could not be read."""
        self._gap_told.append(call)

    def expect(self, report: OrderReport) -> None:
        """An order was just accepted: where there is no stream, it is asked for until it has ended."""
        self._polling.note(report)

    async def watch_orders(self) -> list[OrderReport]:
        """Everything that arrived since last asked. Raises QueryFailed once it is closed."""
        self._begin()
        while not self._reports:
            if self._is_closed:
                raise QueryFailed("the order stream is closed")
            self._arrived.clear()
            await self._arrived.wait()
        heard = list(self._reports)
        self._reports.clear()
        return heard

    def status(self) -> OrderStreamStatus:
        client = self.connections.of(ORDERS)
        is_connected = client is not None and bool(client.isConnected)
        return OrderStreamStatus(self.source, is_connected, self.gaps, self.fault)

    async def close(self) -> None:
        self._is_closed = True
        await end_tasks(self._tasks)
        self._arrived.set()

    def _begin(self) -> None:
        """The stream is read by a task of its own: a first `watch_orders` that is cancelled is dead for good."""
        if self._has_begun or self._is_closed:
            return
        self._has_begun = True
        if self.source is Source.STREAM:
            self._spawn(self._read_stream())
        else:
            self.fault = f"{self.exchange.id} streams no orders"
        self._spawn(self._poll())

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, report: OrderReport) -> None:
        if len(self._reports) >= UNHEARD_REPORTS_MAX:
            self._reports.popleft()
            self._note_gap("more reports arrived than were read")
        self._reports.append(report)
        self._polling.note(report)
        self._arrived.set()

    def _note_gap(self, why: str) -> None:
        self.gaps += 1
        logger.bind(event="order_reports_missed", reason=why).info("order_reports_missed")
        for call in self._gap_told:
            call()

    async def _read_stream(self) -> None:
        serve(ORDERS)
        failures = 0
        while True:
            try:
                orders = await self.exchange.watch_orders()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._is_closed or (task is not None and task.cancelling()):
                    raise
                is_refused, self.fault = False, "the connection was closed"  # ccxt cancels who waits on it
            except Exception as fault:  # ccxt raises what its transport raises
                error = _behind(fault)
                is_refused, self.fault = not is_of_network(error), words_of(error)
                self._let_go(error)
            else:
                failures = 0
                self._restored()
                self._hear(orders)
                continue
            failures += 1
            self._interrupted()
            if failures >= STREAM_FAILURES_MAX:
                self.source = Source.POLLING
            if is_refused:
                await self.dials.refused_turn(ORDERS, failures, _REFUSED_AGAIN_S)
            else:
                await self.dials.turn(self.connections.url_of(ORDERS), failures)

    def _interrupted(self) -> None:
        """An interruption is told once, however often it is dialled in vain."""
        if self.interruption is None:
            self.interruption = Interruption(asyncio.get_running_loop().time())
            logger.bind(event="order_stream_interrupted", reason=self.fault).warning(
                "order_stream_interrupted"
            )
        self.interruption.failures += 1

    def _restored(self) -> None:
        self.source, self.fault, self._unanswered = Source.STREAM, "", 0
        if self.interruption is not None:
            lasted_s = round(asyncio.get_running_loop().time() - self.interruption.began_s, 1)
            failures, self.interruption = self.interruption.failures, None
            logger.bind(event="order_stream_restored", lasted_s=lasted_s, failures=failures).info(
                "order_stream_restored"
            )

    def _hear(self, orders: list[Mapping[str, Any]]) -> None:
        """Read at once: ccxt changes these objects with the next message."""
        for order in orders:
            try:
                report = self._read(order)
            except Exception as error:  # a stream may say anything, and the truth is asked for elsewhere
                self._note_gap(f"an order could not be read: {words_of(error)}")
                continue
            if report is not None:
                self._take(report)

    def _let_go(self, error: BaseException) -> None:
        """After a refusal too: ccxt would wait for ever for the sign-in of this connection to be answered."""
        if isinstance(error, library.errors().InvalidNonce):
            self._on_clock_fault()
        client = self.connections.of(ORDERS)
        if client is not None:
            self.connections.make_anew(client, self.fault)

    def _on_connected(self, client: Any) -> None:
        self._spawn(self._confirm(client))

    async def _confirm(self, client: Any) -> None:
        """The books are compared once reports flow again, not before; a subscription without an answer is given up."""
        loop = asyncio.get_running_loop()
        within_s = min(SUBSCRIBED_WITHIN_S * 2 ** min(self._unanswered, 10), SUBSCRIBED_WITHIN_MAX_S)
        until_s = loop.time() + within_s
        while loop.time() < until_s:
            await asyncio.sleep(_LOOK_EVERY_S)
            if not self.connections.is_in_use(client):
                return
            if _is_subscribed(client):
                self._restored()
                self._note_gap("the order stream was connected")
                return
        self._unanswered += 1
        self.connections.make_anew(client, "the subscription to orders was not answered")

    async def _poll(self) -> None:
        """Runs beside the stream, and asks only while that does not work."""
        while True:
            await asyncio.sleep(self._polling.every_s)
            if self.source is not Source.POLLING:
                continue
            with suppress(QueryFailed):
                for report in await self._polling.ask():
                    self._take(report)


def _leave_fees_to_trades(exchange: Any) -> None:
    """Binance's client adds each trade's fee to that of its order, and fails over exact numbers at the second trade:
    the message is lost. Where an order has no fee there is nothing to add to; each trade keeps its own.
    """
    if not str(exchange.id).startswith("binance"):
        return
    usual = exchange.handle_my_trade

    def handle_my_trade(client: Any, message: Mapping[str, Any]) -> None:
        orders = {} if exchange.orders is None else exchange.orders.hashmap
        symbol = exchange.safe_symbol(message.get("s"), None, None, "spot")
        order = orders.get(symbol, {}).get(str(message.get("i")))
        if order is not None:
            order["fee"], order["fees"] = None, []
        usual(client, message)

    exchange.handle_my_trade = handle_my_trade


def _behind(error: BaseException) -> BaseException:
    """What ccxt was handling when its own handling failed: a refused subscription ends in a KeyError."""
    context = error.__context__
    known = library.errors().BaseError
    return context if context is not None and isinstance(context, known) > isinstance(error, known) else error


def _is_subscribed(client: Any) -> bool:
    """Somebody waits for orders, and nobody for the answer to a request or to a sign-in."""
    waiting = [name for name, future in client.futures.items() if not future.done()]
    return bool(waiting) and not any(name.isdigit() or name.startswith("authenticat") for name in waiting)
