"""Exchanges for tests: one says what the test tells it to, the other matches orders at the test's prices."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

from fsm.values import OrderType
from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers, Terms
from services.exchanges.price_point import PricePoint
from services.messages import Balance, MarketRules, OrderReport, OrderRequest, QueryFailed
from services.ports import Clock
from tests.services.reports import BASE, MARKET, PAIR, QUOTE, resting

Answer = Callable[[str], OrderReport | None] | Exception | asyncio.Event
"""A report made for the client order id, an error, or an event to wait for before the next answer."""


class ScriptedDesk:
    """Answers each request with the next scripted answer of its kind.

    Unscripted, orders and cancels are accepted and rest, and questions fail.
    """

    def __init__(self, *, late_arrival_ms: int = 5_000, quote: str = "1000") -> None:
        self.late_arrival_ms = late_arrival_ms
        self.loop_turns_to_answer = 0
        self.calls: list[tuple[str, str]] = []
        self.requests: list[OrderRequest] = []
        self.creates: deque[Answer] = deque()
        self.cancels: deque[Answer] = deque()
        self.fetches: deque[Answer] = deque()
        self.rules = {PAIR: MARKET}
        self.balances = {QUOTE: Balance(Decimal(quote)), BASE: Balance()}

    async def create_order(self, request: OrderRequest) -> OrderReport:
        self.requests.append(request)
        report = await self._answer("create", request.client_order_id, self.creates, resting)
        assert report is not None
        return report

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        report = await self._answer("cancel", client_order_id, self.cancels, resting)
        assert report is not None
        return report

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        return await self._answer("fetch", client_order_id, self.fetches, QueryFailed("nobody answers"))

    async def _answer(self, kind: str, of: str, script: deque[Answer], usual: Answer) -> OrderReport | None:
        self.calls.append((kind, of))
        for _ in range(self.loop_turns_to_answer):
            await asyncio.sleep(0)
        answer = script.popleft() if script else usual
        while isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = script.popleft() if script else usual
        if isinstance(answer, Exception):
            raise answer
        return answer(of)

    def asked(self, kind: str) -> list[str]:
        """The client order ids of all requests of one kind, in their order."""
        return [of for each, of in self.calls if each == kind]

    def move(self, symbol: str, price: Decimal) -> list[OrderReport]:
        """A price means nothing to its orders."""
        return []

    async def watch_orders(self) -> list[OrderReport]:
        await asyncio.Event().wait()
        return []

    async def fetch_balance(self) -> dict[str, Balance]:
        return dict(self.balances)

    def market(self, symbol: str) -> MarketRules:
        return self.rules[symbol]


class MarketDesk(ScriptedDesk):
    """Matches what it is sent at the prices the test names; scripted answers come first."""

    def __init__(
        self,
        clock: Clock,
        *,
        rules: Mapping[str, MarketRules] | None = None,
        quote: str = "1000",
        fee: str = "0",
        fee_in: str = "quote",
    ) -> None:
        super().__init__(late_arrival_ms=0, quote=quote)
        self.clock = clock
        self.rules = dict(rules or self.rules)
        terms = Terms(Decimal(fee), fee_in, Decimal(0), 0.0)
        self.book = Matching(self.rules, Ledger({QUOTE: Balance(Decimal(quote))}), terms, Numbers())

    async def create_order(self, request: OrderRequest) -> OrderReport:
        if self.creates:
            return await super().create_order(request)
        self.calls.append(("create", request.client_order_id))
        self.requests.append(request)
        return self.book.submit(request, self.clock.now_ms()).report()

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        if self.cancels:
            return await super().cancel_order(client_order_id, symbol)
        self.calls.append(("cancel", client_order_id))
        return self.book.cancel(client_order_id, symbol, self.clock.now_ms()).report()

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        if self.fetches:
            return await super().fetch_order(client_order_id, symbol)
        self.calls.append(("fetch", client_order_id))
        order = self.book.find(client_order_id, symbol)
        return None if order is None else order.report()

    def move(self, symbol: str, price: Decimal) -> list[OrderReport]:
        changed = self.book.move(PricePoint(symbol, price, price, price), self.clock.now_ms())
        return [order.report() for order in changed]

    async def fetch_balance(self) -> dict[str, Balance]:
        return self.book.ledger.balances()

    def sent(self, kind: OrderType) -> list[OrderRequest]:
        return [request for request in self.requests if request.type == kind]
