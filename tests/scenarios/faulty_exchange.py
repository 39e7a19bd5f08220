"""The paper exchange, driven by a story's prices, with the faults that a story orders."""

from collections import deque
from decimal import Decimal
from typing import Any

from services.exchanges.paper import PaperExchange
from services.exchanges.price_point import PricePoint, bid_and_ask
from services.messages import OrderRefused, OrderReport, OrderRequest


class StoryPrices:
    """A PriceSource that offers what the story has brought so far."""

    def __init__(self, spread: Decimal, price_step: Decimal) -> None:
        self.volume: Decimal | None = None
        self._spread = spread
        self._price_step = price_step
        self._points: deque[PricePoint] = deque()

    def bring(self, symbol: str, last: Decimal, *, gap: bool) -> None:
        bid, ask = bid_and_ask(last, self._spread, self._price_step)
        self._points.append(PricePoint(symbol, last, bid, ask, self.volume, gap))

    def next_point(self, symbol: str) -> PricePoint | None:
        return self._points.popleft() if self._points else None


class FaultyExchange(PaperExchange):
    """Each fault is ordered once and met by the next order."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.faults: deque[str] = deque()
        self._unheard: set[str] = set()

    async def create_order(self, request: OrderRequest) -> OrderReport:
        fault = self.faults.popleft() if self.faults else ""
        if fault == "reject":
            raise OrderRefused("the market is in cancel-only mode")
        if fault == "lose order":
            raise ConnectionError("reset before the request was sent")
        if fault == "lose answer":
            self._unheard.add(request.client_order_id)
            await super().create_order(request)
            raise ConnectionError("reset before the answer was read")
        return await super().create_order(request)

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        self._unheard.discard(client_order_id)
        return await super().fetch_order(client_order_id, symbol)

    async def watch_orders(self) -> list[OrderReport]:
        """The stream is silent about an order whose answer was lost, until somebody asks for the order."""
        while True:
            reports = await super().watch_orders()
            heard = [report for report in reports if report.client_order_id not in self._unheard]
            if heard:
                return heard
