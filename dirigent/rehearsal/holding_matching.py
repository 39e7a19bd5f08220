"""The shared matching, with a leash: an order may fill in part only, and then be left alone for a while."""

from collections.abc import Mapping
from decimal import Decimal

from services.exchanges.book_order import BookOrder
from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers, Terms
from services.exchanges.price_point import PricePoint
from services.messages import MarketRules, OrderRequest, OrderStatus


class HoldingMatching(Matching):
    def __init__(
        self,
        rules: Mapping[str, MarketRules],
        ledger: Ledger,
        terms: Terms,
        numbers: Numbers,
        remember: int = 10_000,
    ) -> None:
        super().__init__(rules, ledger, terms, numbers, remember)
        self._at_most: Decimal | None = None
        self._held_until_ms: dict[str, int] = {}
        """By client order id, which no two open orders share."""

    def submit_held(self, request: OrderRequest, at_ms: int, *, at_most: Decimal, until_ms: int) -> BookOrder:
        """Fills at most so much now, and nothing more of it until then."""
        self._at_most = at_most
        try:
            order = self.submit(request, at_ms)
        finally:
            self._at_most = None
        if order.is_open:
            self._held_until_ms[order.client_order_id] = until_ms
        return order

    def _end(self, order: BookOrder, status: OrderStatus, at_ms: int, reason: str) -> None:
        self._held_until_ms.pop(order.client_order_id, None)
        super()._end(order, status, at_ms, reason)

    def _fillable(self, order: BookOrder, price: Decimal) -> Decimal:
        amount = super()._fillable(order, price)
        return amount if self._at_most is None else min(amount, self._at_most)

    def _match(self, order: BookOrder, point: PricePoint, at_ms: int, arriving: bool) -> bool:
        if not arriving and at_ms < self._held_until_ms.get(order.client_order_id, 0):
            return False
        return super()._match(order, point, at_ms, arriving)
