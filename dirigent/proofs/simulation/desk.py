"""One process's connection to the exchange, an OrderDesk, a TickerFeed and an Account: what can fail fails here."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dirigent.proofs.simulation.exchange import POSITION_ID_LENGTH, SimulatedExchange
from dirigent.proofs.simulation.stream import ReportStream
from dirigent.proofs.simulation.virtual_loop import ProcessDied, VirtualLoop
from dirigent.proofs.simulation.world import World
from fsm.values import OrderType, Side
from services.messages import (
    Balance,
    CancelRefused,
    MarketRules,
    OrderRefused,
    OrderReport,
    OrderRequest,
    OrderStatus,
    QueryFailed,
)

_Answer = Callable[[], Any]


class Garbage(Exception):
    """What a library raises when it does not understand what it was sent."""


class Desk:
    """It ends with its process: an answer on its way to a dead process is lost, a request is not."""

    def __init__(
        self, world: World, exchange: SimulatedExchange, stream: ReportStream, loop: VirtualLoop
    ) -> None:
        self._world = world
        self._exchange = exchange
        self._stream = stream
        self._loop = loop
        self._reports: deque[OrderReport] = deque()
        self._reported = asyncio.Event()
        self._tickers: dict[str, deque[Any]] = {symbol: deque() for symbol in exchange.terms.symbols}
        self._priced = {symbol: asyncio.Event() for symbol in exchange.terms.symbols}
        self._is_interrupted = False
        stream.interrupt = self.interrupt
        self.dies_at_next_answer: Callable[[], None] = lambda: None

    @property
    def late_arrival_ms(self) -> int:
        return self._exchange.terms.late_arrival_ms

    def market(self, symbol: str) -> MarketRules:
        return self._exchange.terms.market[symbol]

    async def create_order(self, request: OrderRequest) -> OrderReport:
        world, identity = self._world, request.client_order_id
        world.count("request")
        world.tell(f"engine sends {identity}: {request.side} {request.amount} at {request.price}")
        self._exchange.sent_at_us[identity] = world.now_us
        future = self._loop.create_future()
        self._send_create(request, future)
        if world.happens("death_after_send", identity):
            raise ProcessDied
        report: OrderReport = await future
        return report

    def _send_create(self, request: OrderRequest, future: asyncio.Future[Any]) -> None:
        world, identity = self._world, request.client_order_id
        dice = world.random
        window_s = self.late_arrival_ms / 1000

        def execute() -> OrderReport:
            return self._exchange.execute(request)

        if world.happens("request_lost", identity):
            self._fail(future, TimeoutError("no answer"), dice.uniform(0.5, 15))
        elif world.happens("executed_late", identity):
            late_s = window_s * (1 - world.faults.stream("executed_late").random() ** 2 / 2 - 0.0001)
            self._arrive(late_s, execute)
            self._fail(future, ConnectionError("reset"), dice.uniform(0.05, late_s))
        elif self._may_break_its_word(request) and world.happens("executed_after_the_window", identity):
            self._exchange.lied_about.add(identity[:POSITION_ID_LENGTH])
            self._arrive(window_s + dice.uniform(1, 30), lambda: self._stream.insist(execute()))
            self._fail(future, ConnectionError("reset"), dice.uniform(0.05, 3))
        elif world.happens("throttled", identity):
            self._fail(future, OrderRefused("too many requests"), self._way_s())
        elif world.happens("server_error", identity):
            if dice.random() < 0.5:
                self._arrive(self._way_s(), execute)
            self._fail(future, OSError("503 service unavailable"), dice.uniform(0.1, 3))
        elif world.happens("garbage", identity):
            if dice.random() < 0.5:
                self._arrive(self._way_s(), execute)
            self._fail(future, Garbage("<html>"), dice.uniform(0.1, 3))
        elif world.happens("response_lost", identity):
            self._arrive(self._way_s(), execute)
            self._fail(future, TimeoutError("no answer"), dice.uniform(0.5, 15))
        elif world.happens("garbage_with_success", identity):
            self._ask(
                future,
                lambda: replace(execute(), exchange_order_id=None, fills=(), filled=0 * request.amount),
            )
        else:
            self._ask(future, execute)

    def _may_break_its_word(self, request: OrderRequest) -> bool:
        """A purchase: nobody else's coins are sold. One that may rest is found by reconciliation only."""
        can_rest = request.type == OrderType.LIMIT
        return request.side == Side.BUY and (
            self._exchange.terms.reconcile_every_s is not None or not can_rest
        )

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        world = self._world
        world.count("request")
        world.tell(f"engine cancels {client_order_id}")
        future = self._loop.create_future()
        self._send_cancel(client_order_id, symbol, future)
        if world.happens("death_after_send", client_order_id):
            raise ProcessDied
        report: OrderReport = await future
        return report

    def _send_cancel(self, identity: str, symbol: str, future: asyncio.Future[Any]) -> None:
        world, dice = self._world, self._world.random

        def execute() -> OrderReport:
            return self._exchange.cancel(identity, symbol)

        if world.happens("request_lost", identity):
            self._fail(future, TimeoutError("no answer"), dice.uniform(0.5, 15))
        elif world.happens("cancel_repeated", identity):
            self._arrive(self._way_s(), execute)
            self._fail(future, CancelRefused("not found"), self._way_s() + 6)
        elif world.happens("server_error", identity):
            if dice.random() < 0.5:
                self._arrive(self._way_s(), execute)
            self._fail(future, OSError("503 service unavailable"), dice.uniform(0.1, 3))
        elif world.happens("garbage", identity):
            self._arrive(self._way_s(), execute)
            self._fail(future, Garbage("<html>"), dice.uniform(0.1, 3))
        elif world.happens("response_lost", identity):
            self._arrive(self._way_s(), execute)
            self._fail(future, TimeoutError("no answer"), dice.uniform(0.5, 15))
        else:
            self._ask(future, execute)

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        world = self._world
        world.count("request")
        future = self._loop.create_future()
        if world.happens("query_failed", client_order_id):
            self._fail(future, QueryFailed("no answer"), world.random.uniform(0.05, 8))
        elif world.happens("query_garbage", client_order_id):
            self._fail(future, Garbage("<html>"), world.random.uniform(0.05, 1))
        else:
            extra_s = 0.0
            if world.happens("slow_answer", client_order_id):
                extra_s = world.faults.stream("slow_answer").uniform(0.5, 9)
            self._ask(future, lambda: self._look(client_order_id, symbol), extra_s)
        report: OrderReport | None = await future
        return report

    def _look(self, identity: str, symbol: str) -> OrderReport | None:
        world, exchange = self._world, self._exchange
        found = exchange.find(identity, symbol)
        if found is None:
            return None
        is_over = found.status is not OrderStatus.OPEN and not exchange.window_is_open(identity)
        if is_over and self._stream.is_recorded(found) and world.happens("order_forgotten", identity):
            exchange.forgotten.add(identity)
            return None
        if exchange.window_is_open(identity) and world.happens("stale_absence", identity):
            return None
        if world.happens("stale_state", identity):
            return exchange.shown(world.faults.stream("stale_state").choice(exchange.reports_of[identity]))
        return found

    async def watch_orders(self) -> list[OrderReport]:
        self._stream.connect(self._hear)
        while not self._reports:
            if self._is_interrupted:
                self._is_interrupted = False
                raise ConnectionError("the stream was interrupted")
            self._reported.clear()
            await self._reported.wait()
        heard = list(self._reports)
        self._reports.clear()
        return heard

    def interrupt(self) -> None:
        """The stream notices that it was cut off."""
        self._is_interrupted = True
        self._reported.set()

    def _hear(self, report: OrderReport) -> None:
        self._reports.append(report)
        self._reported.set()

    async def fetch_balance(self) -> dict[str, Balance]:
        self._world.count("request")
        future = self._loop.create_future()
        if self._world.happens("balance_failed"):
            self._fail(future, QueryFailed("no answer"), 1)
        else:
            self._ask(future, self._exchange.balances)
        balances: dict[str, Balance] = await future
        return balances

    async def fetch_open_orders(self) -> list[OrderReport]:
        self._world.count("request")
        future = self._loop.create_future()
        if self._world.happens("query_failed", "open orders"):
            self._fail(future, QueryFailed("no answer"), self._world.random.uniform(0.05, 8))
        else:
            self._ask(future, self._exchange.open_reports)
        reports: list[OrderReport] = await future
        return reports

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        tickers, priced = self._tickers[symbol], self._priced[symbol]
        while not tickers:
            priced.clear()
            await priced.wait()
        ticker = tickers.popleft()
        if isinstance(ticker, Exception):
            raise ticker
        assert isinstance(ticker, dict)
        return ticker

    def price(self, symbol: str, ticker: dict[str, Any] | Exception) -> None:
        self._tickers[symbol].append(ticker)
        self._priced[symbol].set()

    def _way_s(self) -> float:
        way_s = self._world.random.uniform(0.005, 0.08)
        if self._world.happens("slow_way"):
            way_s += min(4.0, self.late_arrival_ms / 2000) * self._world.faults.stream("slow_way").random()
        return way_s

    def _arrive(self, delay_s: float, act: Callable[[], object]) -> None:
        """The request reaches the exchange after that time, whoever lives then, and nobody hears the answer."""
        self._exchange.in_flight += 1

        def arrive() -> None:
            self._exchange.in_flight -= 1
            try:
                act()
            except (OrderRefused, CancelRefused) as refusal:
                self._world.tell(f"exchange: refused {refusal}")

        self._world.after(delay_s, arrive)

    def _fail(self, future: asyncio.Future[Any], error: Exception, after_s: float) -> None:
        self._world.after(after_s, lambda: self._settle(future, None, error))

    def _ask(self, future: asyncio.Future[Any], act: _Answer, extra_s: float = 0.0) -> None:
        """There and back; a refusal travels back as an answer does."""
        self._exchange.in_flight += 1

        def arrive() -> None:
            self._exchange.in_flight -= 1
            try:
                answer, error = act(), None
            except (OrderRefused, CancelRefused) as refusal:
                self._world.tell(f"exchange: refused {refusal}")
                answer, error = None, refusal
            self._world.after(self._way_s() + extra_s, lambda: self._settle(future, answer, error))

        self._world.after(self._way_s(), arrive)

    def _settle(self, future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
        if self._loop.is_dead or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)
        if self._world.happens("death_before_record"):
            self.dies_at_next_answer()
