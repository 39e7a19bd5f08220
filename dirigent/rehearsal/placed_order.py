"""One order as the rehearsal exchange keeps it: what was asked for, and what the matching made of it."""

from dataclasses import dataclass, field
from decimal import Decimal

from fsm.records import Fill
from fsm.values import ZERO
from services.exchanges.book_order import BookOrder
from services.exchanges.exact import add, multiply
from services.messages import OrderStatus


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it was asked for, checked for form. `kind` is MARKET, LIMIT or LIMIT_MAKER."""

    symbol: str
    side: str
    kind: str
    time_in_force: str
    client_order_id: str
    amount: Decimal
    price: Decimal | None = None
    quote_amount: Decimal = ZERO
    """What a market order was told to spend; `amount` was computed from it."""


@dataclass(slots=True, eq=False)
class PlacedOrder:
    number: int
    new: NewOrder
    book: BookOrder
    placed_at_ms: int
    updated_at_ms: int
    cut_short: bool = False
    """What did not fill at once was given up, as its time in force demands."""
    cancel_id: str = ""
    makers: list[bool] = field(default_factory=list)
    """For each fill, whether the order rested when it came."""
    is_silent: bool = False
    """Its further reports are withheld."""

    @property
    def fills(self) -> list[Fill]:
        return self.book.fills

    @property
    def quote_filled(self) -> Decimal:
        return self.quote_after(len(self.fills))

    def quote_after(self, fills: int) -> Decimal:
        """The quote currency traded in the first so many fills."""
        total = ZERO
        for fill in self.fills[:fills]:
            total = add(total, multiply(fill.amount, fill.price))
        return total

    def filled_after(self, fills: int) -> Decimal:
        total = ZERO
        for fill in self.fills[:fills]:
            total = add(total, fill.amount)
        return total

    @property
    def status(self) -> str:
        status = self.book.status
        if status is OrderStatus.CLOSED:
            return "FILLED"
        if self.cut_short or status is OrderStatus.EXPIRED:
            return "EXPIRED"
        if status is OrderStatus.CANCELED:
            return "CANCELED"
        return "PARTIALLY_FILLED" if self.book.filled else "NEW"
