"""The matching that all simulated exchanges share: orders against price points, in memory, without a clock.

A buy is matched when the ask is at or below its limit, a sell when the bid is at or above it: a touch fills,
as there is no queue before us. An order that arrives takes the market's price. One that rests fills at its
own price, as a maker does, unless the market jumped past it (`PricePoint.gap`): then at the better price of
the market. A market order pays the slippage, rounded against it to the price step. What of it is not filled
at once expires.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fsm.records import Fill
from fsm.values import ZERO, OrderType, Side
from services.exchanges.book_order import BookOrder
from services.exchanges.exact import add, affordable, ceil_to, floor_to, multiply, steps_in, subtract
from services.exchanges.ledger import Ledger
from services.exchanges.order_rules import refuse_bad_order
from services.exchanges.price_point import PricePoint
from services.exchanges.seeded_random import SeededRandom
from services.messages import CancelRefused, MarketRules, OrderRefused, OrderRequest, OrderStatus

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What trading costs and how well it fills. Fractions are of the price or of the cost.

    `fee_in` is `quote`, or `base`: then a buy pays from the coin it receives. A sell always pays in quote.
    """

    fee: Decimal = Decimal("0.001")
    fee_in: str = "quote"
    slippage: Decimal = ZERO
    partial_fill_probability: float = 0.0
    """The chance that a match fills only a random part of the order."""

    def __post_init__(self) -> None:
        if self.fee_in not in ("quote", "base"):
            raise ValueError(f"fee_in {self.fee_in!r} is neither quote nor base")
        for name, number in (("fee", self.fee), ("slippage", self.slippage)):
            if not (number.is_finite() and 0 <= number < 1):
                raise ValueError(f"{name} {number} is not a fraction: at least 0 and below 1")
        if not 0 <= self.partial_fill_probability <= 1:
            raise ValueError(
                f"partial_fill_probability {self.partial_fill_probability} is not between 0 and 1"
            )


@dataclass(slots=True)
class Numbers:
    """What the next ids are made of, and the state of the generator: saved, so that nothing repeats."""

    last_order: int = 0
    last_trade: int = 0
    random_state: int = 0


class Matching:
    """One account's orders in several markets. Each method is whole: it raises before anything has changed.

    `remember` bounds how many ended orders can be found; the oldest are forgotten first.
    """

    def __init__(
        self,
        rules: Mapping[str, MarketRules],
        ledger: Ledger,
        terms: Terms,
        numbers: Numbers,
        remember: int = 10_000,
    ) -> None:
        self.rules = rules
        self.ledger = ledger
        self._terms = terms
        self._remember = remember
        self._last_order = numbers.last_order
        self._last_trade = numbers.last_trade
        self._random = SeededRandom(numbers.random_state)
        self.points: dict[str, PricePoint] = {}
        self._volume_left: dict[str, Decimal | None] = {}
        self._open: dict[str, BookOrder] = {}
        self._open_of: dict[str, dict[str, BookOrder]] = {}
        self._ended: dict[str, BookOrder] = {}

    @property
    def numbers(self) -> Numbers:
        return Numbers(self._last_order, self._last_trade, self._random.state)

    def adopt(self, orders: Iterable[BookOrder]) -> None:
        """Puts saved open orders, oldest first, back into the book; their money is locked already."""
        for order in orders:
            self._keep(order)

    def submit(
        self, request: OrderRequest, at_ms: int, match_now: bool = True, arriving: bool = True
    ) -> BookOrder:
        """Accepts or raises OrderRefused. Without `match_now` the next point is the first it meets.

        Without `arriving` it is matched as if it had rested while the market came to where it is.
        """
        rules = self.rules.get(request.symbol)
        if rules is None:
            raise OrderRefused(f"{request.symbol} is not listed here")
        if request.client_order_id in self._open:
            raise OrderRefused(f"client order id {request.client_order_id} is in use by an open order")
        point = self.points.get(request.symbol)
        market_price = None if point is None else self._market_price(request.side, point)
        refuse_bad_order(request, rules, market_price)
        order = self._order_of(request, request.price or market_price or ZERO, at_ms)
        free = self.ledger.free(order.lock_currency)
        if free < order.locked:
            raise OrderRefused(
                f"insufficient funds: {order.locked} {order.lock_currency} needed, {free} free"
            )
        self._last_order += 1
        self.ledger.lock(order.lock_currency, order.locked)
        self._keep(order)
        if match_now and point is not None:
            self._match(order, point, at_ms, arriving)
        return order

    def cancel(self, client_order_id: str, symbol: str, at_ms: int) -> BookOrder:
        """Raises CancelRefused when no such order is open."""
        order = self._open.get(client_order_id)
        if order is None or order.symbol != symbol:
            raise CancelRefused(f"no open order {client_order_id} in {symbol}")
        self._end(order, OrderStatus.CANCELED, at_ms, "cancelled on request")
        return order

    def move(self, point: PricePoint, at_ms: int) -> list[BookOrder]:
        """The market moves to `point`; the orders that this changed, in the order they were matched."""
        self.points[point.symbol] = point
        self._volume_left[point.symbol] = point.volume
        waiting = self._open_of.get(point.symbol)
        if not waiting:
            return []
        in_priority = sorted(waiting.values(), key=_priority)
        return [order for order in in_priority if self._match(order, point, at_ms, arriving=False)]

    def find(self, client_order_id: str, symbol: str) -> BookOrder | None:
        """The open order of this id, else the last one that ended and is remembered."""
        order = self._open.get(client_order_id) or self._ended.get(client_order_id)
        return order if order is not None and order.symbol == symbol else None

    def open_orders(self) -> list[BookOrder]:
        return list(self._open.values())

    def has_open(self, symbol: str) -> bool:
        return bool(self._open_of.get(symbol))

    def _order_of(self, request: OrderRequest, price: Decimal, at_ms: int) -> BookOrder:
        buys = request.side == Side.BUY
        fee_in_base = buys and self._terms.fee_in == "base"
        lock_per_unit = _ONE
        if buys:
            lock_per_unit = price if fee_in_base else multiply(price, add(_ONE, self._terms.fee))
        return BookOrder(
            exchange_order_id=str(self._last_order + 1),
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            amount=request.amount,
            price=request.price,
            fee_rate=self._terms.fee,
            fee_in_base=fee_in_base,
            lock_per_unit=lock_per_unit,
            created_at_ms=at_ms,
        )

    def _market_price(self, side: str, point: PricePoint) -> Decimal:
        price = point.ask if side == Side.BUY else point.bid
        slippage = self._terms.slippage
        if not slippage:
            return price
        step = self.rules[point.symbol].price_step
        if side == Side.BUY:
            return ceil_to(multiply(price, add(_ONE, slippage)), step)
        return max(floor_to(multiply(price, subtract(_ONE, slippage)), step), min(step, price))

    def _limit_price(self, order: BookOrder, point: PricePoint, arriving: bool) -> Decimal | None:
        limit = order.price
        offered = point.ask if order.is_buy else point.bid
        if limit is None or (offered > limit if order.is_buy else offered < limit):
            return None
        return offered if arriving or point.gap else limit

    def _match(self, order: BookOrder, point: PricePoint, at_ms: int, arriving: bool) -> bool:
        if order.is_market:
            price: Decimal | None = self._market_price(order.side, point)
        else:
            price = self._limit_price(order, point, arriving)
        if price is None:
            return False
        wanted = order.remaining
        if order.is_market:
            self._unlock(order)
        amount = self._fillable(order, price)
        if amount:
            self._fill(order, amount, price, at_ms)
        if order.filled == order.amount:
            self._end(order, OrderStatus.CLOSED, at_ms, "")
        elif order.is_market:
            self._end(
                order, OrderStatus.EXPIRED, at_ms, f"{wanted} wanted, {amount} could be filled at {price}"
            )
        return bool(amount) or order.is_market

    def _unlock(self, order: BookOrder) -> None:
        """A market order pays what it meets, not what was estimated: all its money is free for that."""
        self.ledger.release(order.lock_currency, order.locked)
        order.lock_per_unit = ZERO

    def _fillable(self, order: BookOrder, price: Decimal) -> Decimal:
        """What of the order can be filled now: bounded by the point's volume, by luck, and by money."""
        step = self.rules[order.symbol].amount_step
        amount = order.remaining
        left = self._volume_left.get(order.symbol)
        if left is not None:
            amount = min(amount, floor_to(left, step))
        chance = self._terms.partial_fill_probability
        if amount > step and chance and self._random.uniform() < chance:
            amount = multiply(Decimal(self._random.up_to(steps_in(amount, step) - 1)), step)
        if order.is_market and order.is_buy:
            unit = price if order.fee_in_base else multiply(price, add(_ONE, order.fee_rate))
            amount = min(amount, affordable(self.ledger.free(order.quote), unit, step))
        return amount

    def _fill(self, order: BookOrder, amount: Decimal, price: Decimal, at_ms: int) -> None:
        cost = multiply(amount, price)
        fee = multiply(amount if order.fee_in_base else cost, order.fee_rate)
        ledger = self.ledger
        ledger.release(order.lock_currency, multiply(amount, order.lock_per_unit))
        if not order.is_buy:
            ledger.take(order.base, amount)
            ledger.give(order.quote, subtract(cost, fee))
        elif order.fee_in_base:
            ledger.take(order.quote, cost)
            ledger.give(order.base, subtract(amount, fee))
        else:
            ledger.take(order.quote, add(cost, fee))
            ledger.give(order.base, amount)
        self._last_trade += 1
        order.filled = add(order.filled, amount)
        order.fills.append(
            Fill(
                id=str(self._last_trade),
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                amount=amount,
                price=price,
                fee=fee,
                fee_currency=order.base if order.fee_in_base else order.quote,
                at_ms=at_ms,
            )
        )
        left = self._volume_left.get(order.symbol)
        if left is not None:
            self._volume_left[order.symbol] = subtract(left, amount)

    def _keep(self, order: BookOrder) -> None:
        self._open[order.client_order_id] = order
        self._open_of.setdefault(order.symbol, {})[order.client_order_id] = order

    def _end(self, order: BookOrder, status: OrderStatus, at_ms: int, reason: str) -> None:
        if order.locked:
            self.ledger.release(order.lock_currency, order.locked)
        order.status = status
        order.reason = reason
        order.ended_at_ms = at_ms
        del self._open[order.client_order_id]
        del self._open_of[order.symbol][order.client_order_id]
        self._ended.pop(order.client_order_id, None)
        self._ended[order.client_order_id] = order
        if len(self._ended) > self._remember:
            del self._ended[next(iter(self._ended))]


def _priority(order: BookOrder) -> tuple[bool, Decimal, int]:
    """Market orders first, then the better price for the other side, then the older order."""
    price = order.price or ZERO
    return (
        order.type == OrderType.LIMIT,
        price.copy_negate() if order.is_buy else price,
        int(order.exchange_order_id),
    )
