"""One order in the book of a simulated exchange, and what is reported of it."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from fsm.records import Fill
from fsm.values import ZERO, OrderType, Side, base_of, quote_of
from services.exchanges.exact import multiply, subtract
from services.messages import OrderReport, OrderRequest, OrderStatus


@dataclass(slots=True, eq=False)
class BookOrder:
    """An order with the terms it was accepted under: later settings never change what it locks or pays."""

    exchange_order_id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    amount: Decimal
    price: Decimal | None
    fee_rate: Decimal
    fee_in_base: bool
    """The fee of this order is taken from the base coin it buys."""
    lock_per_unit: Decimal
    """Locked for each unit of the base amount that is still open, in `lock_currency`."""
    created_at_ms: int
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = ZERO
    fills: list[Fill] = field(default_factory=list)
    reason: str = ""
    ended_at_ms: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status is OrderStatus.OPEN

    @property
    def is_buy(self) -> bool:
        return self.side == Side.BUY

    @property
    def is_market(self) -> bool:
        return self.type == OrderType.MARKET

    @property
    def base(self) -> str:
        return base_of(self.symbol)

    @property
    def quote(self) -> str:
        return quote_of(self.symbol)

    @property
    def lock_currency(self) -> str:
        return self.quote if self.is_buy else self.base

    @property
    def remaining(self) -> Decimal:
        return subtract(self.amount, self.filled)

    @property
    def locked(self) -> Decimal:
        return multiply(self.remaining, self.lock_per_unit) if self.is_open else ZERO

    def report(self) -> OrderReport:
        return OrderReport(
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            exchange_order_id=self.exchange_order_id,
            status=self.status,
            filled=self.filled,
            fills=tuple(self.fills),
            reason=self.reason,
        )

    def listed(self) -> OrderReport:
        """The report as it stands in a list of open orders, with what was ordered."""
        request = OrderRequest(
            self.client_order_id, self.symbol, self.side, self.type, self.amount, self.price
        )
        return replace(self.report(), request=request)
