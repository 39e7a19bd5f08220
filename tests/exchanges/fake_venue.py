"""The contract's market story told to the fake desk that the services' tests trust: it has to keep its word too."""

import asyncio
from collections import deque
from decimal import Decimal
from pathlib import Path

from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers, Terms
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
        self.tell_price(story.prices[0])

    def tell_price(self, price: str) -> None:
        for report in self.move(SYMBOL, Decimal(price)):
            self._told.put_nowait(report)

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
        self._prices = deque(story.prices[1:])

    async def step(self) -> None:
        if self._prices:
            self.exchange.tell_price(self._prices.popleft())

    async def stream_begins(self) -> None:
        """It is told from the start."""

    async def close(self) -> None:
        """Nothing is held open."""


async def fake_venue(story: Story, _: Path) -> Venue:
    assert story.volume is None, "its market has no end"
    return FakeVenue(story)
