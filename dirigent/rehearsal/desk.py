"""The account at the rehearsal exchange: every order it ever took, its fills, its money, and the news of them.

The matching is that of the paper exchange. It takes no fees here: they are charged for each fill, after it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dirigent.rehearsal.api_error import (
    CANCEL_UNKNOWN,
    DUPLICATE_ORDER,
    ApiError,
    filter_failure,
    order_rejected,
)
from dirigent.rehearsal.commission import Commission
from dirigent.rehearsal.holding_matching import HoldingMatching
from dirigent.rehearsal.order_checks import (
    OPEN_ORDERS_MAX,
    check_crossing,
    check_filters,
    check_money,
    crosses,
)
from dirigent.rehearsal.placed_order import NewOrder, PlacedOrder
from dirigent.rehearsal.state_file import State
from fsm.values import ZERO, OrderType, Side, base_of, quote_of
from services.exchanges.exact import add, affordable, ceil_to, floor_to, multiply, subtract
from services.exchanges.ledger import Ledger
from services.exchanges.matching import Numbers, Terms
from services.exchanges.price_point import PricePoint
from services.exchanges.seeded_random import SeededRandom
from services.messages import Balance, MarketRules, OrderRefused, OrderRequest

FIRST_ORDER = 1_000
FIRST_TRADE = 5_000
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to one order: `NEW`, `TRADE` (the fill at `fill`), `CANCELED` or `EXPIRED`."""

    order: PlacedOrder
    kind: str
    at_ms: int
    fill: int = -1


@dataclass(frozen=True, slots=True)
class DeskTerms:
    balances: Mapping[str, Decimal]
    fee: Decimal
    fee_coin: str | None
    slippage: Decimal
    seed: int


class Desk:
    """`tell` hears all news, in their order, after the books are right."""

    def __init__(
        self,
        rules: Mapping[str, MarketRules],
        terms: DeskTerms,
        tell: Callable[[News], None],
        state: State | None = None,
    ) -> None:
        """`state` is what an earlier desk left; its balances and orders stand, whatever the terms say."""
        self._rules = rules
        self._slippage = terms.slippage
        self._tell = tell
        self.start = dict(terms.balances) if state is None else state.start
        balances = {currency: Balance(amount) for currency, amount in self.start.items()}
        numbers = Numbers(FIRST_ORDER, FIRST_TRADE, SeededRandom.named(terms.seed, "matching").state)
        self.ledger = Ledger(balances if state is None else state.balances)
        self.matching = HoldingMatching(
            rules,
            self.ledger,
            Terms(fee=ZERO, slippage=terms.slippage),
            numbers if state is None else state.numbers,
            remember=1,
        )
        self.commission = Commission(terms.fee, terms.fee_coin, self.ledger, self._last_price)
        self.orders: dict[int, PlacedOrder] = {}
        self.by_client_id: dict[str, list[PlacedOrder]] = {}
        self._by_symbol: dict[str, list[PlacedOrder]] = {}
        for order in () if state is None else state.orders:
            self._keep(order)
        self.matching.adopt(order.book for order in self.orders.values() if order.book.is_open)

    def point(self, symbol: str) -> PricePoint:
        return self.matching.points[symbol]

    def market_price(self, symbol: str, side: str) -> Decimal:
        """What a market order trades at now."""
        point = self.point(symbol)
        step = self._rules[symbol].price_step
        if side == Side.BUY:
            return ceil_to(multiply(point.ask, add(_ONE, self._slippage)), step)
        return max(floor_to(multiply(point.bid, subtract(_ONE, self._slippage)), step), step)

    def amount_for(self, symbol: str, side: str, quote_amount: Decimal) -> Decimal:
        """The most that so much of the quote currency trades for."""
        price = self.market_price(symbol, side)
        return affordable(quote_amount, price, self._rules[symbol].amount_step)

    def place(self, new: NewOrder, at_ms: int, part: float | None = None, hold_ms: int = 0) -> PlacedOrder:
        """Takes an order or raises ApiError.

        With `part`, only about this fraction of it fills now, and nothing more for `hold_ms`.
        """
        self._check(new)
        if new.time_in_force == "FOK":
            part = None
        order = self._submit(new, at_ms, part, at_ms + hold_ms)
        self._tell(News(order, "NEW", at_ms))
        self._settle(order, at_ms, maker=False)
        order.is_silent = part is not None and order.book.filled < new.amount
        if order.book.is_open and (new.time_in_force in ("IOC", "FOK")):
            order.cut_short = True
            self.matching.cancel(new.client_order_id, new.symbol, at_ms)
        if order.status == "EXPIRED":
            self._tell(News(order, "EXPIRED", at_ms))
        return order

    def cancel(self, order: PlacedOrder, cancel_id: str, at_ms: int) -> None:
        """Raises ApiError when the order is not open."""
        if not order.book.is_open:
            raise ApiError(*CANCEL_UNKNOWN)
        self.matching.cancel(order.new.client_order_id, order.new.symbol, at_ms)
        order.cancel_id, order.updated_at_ms = cancel_id, at_ms
        self._tell(News(order, "CANCELED", at_ms))

    def move(self, point: PricePoint, at_ms: int) -> None:
        """The market moves; what rests there may fill."""
        for changed in self.matching.move(point, at_ms):
            self._settle(self.orders[int(changed.exchange_order_id)], at_ms, maker=True)

    def find(self, symbol: str, number: int | None, client_order_id: str | None) -> PlacedOrder | None:
        """By number; else the open order of this client id, else the latest that had it."""
        if number is not None:
            order = self.orders.get(number)
            return order if order is not None and order.new.symbol == symbol else None
        named = [
            order for order in self.by_client_id.get(client_order_id or "", ()) if order.new.symbol == symbol
        ]
        return next((order for order in named if order.book.is_open), named[-1] if named else None)

    def open_orders(self, symbol: str | None = None) -> list[PlacedOrder]:
        return [
            self.orders[int(order.exchange_order_id)]
            for order in self.matching.open_orders()
            if symbol is None or order.symbol == symbol
        ]

    def of_symbol(self, symbol: str) -> Iterable[PlacedOrder]:
        return self._by_symbol.get(symbol, ())

    def _check(self, new: NewOrder) -> None:
        market_price = self.market_price(new.symbol, new.side)
        point = self.point(new.symbol)
        check_filters(new, self._rules[new.symbol], point, market_price)
        if any(order.book.is_open for order in self.by_client_id.get(new.client_order_id, ())):
            raise order_rejected(DUPLICATE_ORDER)
        if len(self.open_orders(new.symbol)) >= OPEN_ORDERS_MAX:
            raise filter_failure("MAX_NUM_ORDERS")
        check_crossing(new, point)
        pays_with = quote_of(new.symbol) if new.side == Side.BUY else base_of(new.symbol)
        check_money(new, market_price, self.ledger.free(pays_with))

    def _submit(self, new: NewOrder, at_ms: int, part: float | None, until_ms: int) -> PlacedOrder:
        order_type = OrderType.MARKET if new.kind == "MARKET" else OrderType.LIMIT
        request = OrderRequest(new.client_order_id, new.symbol, new.side, order_type, new.amount, new.price)
        fills_whole = new.time_in_force != "FOK" or crosses(new, self.point(new.symbol))
        try:
            if part is None:
                book = self.matching.submit(request, at_ms, match_now=fills_whole)
            else:
                at_most = self._part_of(new, part)
                book = self.matching.submit_held(request, at_ms, at_most=at_most, until_ms=until_ms)
        except OrderRefused as refusal:
            raise order_rejected(str(refusal)) from None
        order = PlacedOrder(int(book.exchange_order_id), new, book, at_ms, at_ms)
        self._keep(order)
        return order

    def _keep(self, order: PlacedOrder) -> None:
        self.orders[order.number] = order
        self.by_client_id.setdefault(order.new.client_order_id, []).append(order)
        self._by_symbol.setdefault(order.new.symbol, []).append(order)

    def _settle(self, order: PlacedOrder, at_ms: int, maker: bool) -> None:
        """Charges the fees of new fills, then tells of them."""
        for index in range(len(order.makers), len(order.fills)):
            order.fills[index] = self.commission.charge(order.fills[index])
            order.makers.append(maker)
            order.updated_at_ms = at_ms
            self._tell(News(order, "TRADE", at_ms, index))

    def _part_of(self, new: NewOrder, part: float) -> Decimal:
        """At least one step."""
        step = self._rules[new.symbol].amount_step
        return max(floor_to(multiply(new.amount, Decimal(str(round(part, 6)))), step), step)

    def _last_price(self, symbol: str) -> Decimal | None:
        point = self.matching.points.get(symbol)
        return None if point is None else point.last
