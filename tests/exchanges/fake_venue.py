"""The contract's market story told to the fake desk that the services' tests trust: it has to keep its word too."""

import asyncio
from collections import deque
from decimal import Decimal
from pathlib import Path

from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers, Terms
from services.exchanges.price_point import PricePoint
from services.messages import Balance, OrderReport, OrderRequest
from tests.exchanges.venues import RULES, SYMBOL, StillClock, Story, Venue
from tests.services.desks import MarketDesk


class FakeExchange(MarketDesk):
    """The fake desk with the list and the stream that the contract asks for."""

    def __init__(self, story: Story) -> None:
        super().__init__(StillClock(), rules={SYMBOL: RULES})
        balances = {currency: Balance(amount) for currency, amount in story.balances.items()}
        terms = Terms(story.fee, story.fee_in, Decimal(0), 0.0)
        self.book = Matching(self.rules, Ledger(balances), terms, Numbers())
        self._told: asyncio.Queue[OrderReport] = asyncio.Queue()
        self.tell(story.point(0))

    def tell(self, point: PricePoint) -> None:
        for order in self.book.move(point, self.clock.now_ms()):
            self._told.put_nowait(order.report())

    async def create_order(self, request: OrderRequest) -> OrderReport:
        report = await super().create_order(request)
        self._told.put_nowait(report)
        return report

    async def fetch_open_orders(self) -> list[OrderReport]:
        return [order.listed() for order in self.book.open_orders()]

    async def watch_orders(self) -> list[OrderReport]:
        return [await self._told.get()]


class FakeVenue:
    def __init__(self, story: Story) -> None:
        self.exchange = FakeExchange(story)
        self._points = deque(story.point(number) for number in range(1, len(story.prices)))

    async def step(self) -> None:
        if self._points:
            self.exchange.tell(self._points.popleft())

    async def stream_begins(self) -> None:
        """It is told from the start."""

    async def close(self) -> None:
        """Nothing is held open."""


async def fake_venue(story: Story, _: Path) -> Venue:
    return FakeVenue(story)
