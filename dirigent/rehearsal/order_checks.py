"""What a market demands of an order, in Binance's filters and the order in which it names them."""

from decimal import Decimal

from dirigent.rehearsal.api_error import NO_MONEY, WOULD_MATCH, filter_failure, order_rejected
from dirigent.rehearsal.placed_order import NewOrder
from fsm.values import Side
from services.exchanges.exact import is_multiple, multiply
from services.exchanges.price_point import PricePoint
from services.messages import MarketRules

OPEN_ORDERS_MAX = 200
"""Of one market."""
PRICE_MULTIPLIER_UP = Decimal(5)
PRICE_MULTIPLIER_DOWN = Decimal("0.2")
AMOUNT_MAX = Decimal(10) ** 9
PRICE_MAX = Decimal(10) ** 9
"""Of a market that names none."""


def check_filters(new: NewOrder, rules: MarketRules, point: PricePoint, market_price: Decimal) -> None:
    """Raises ApiError. `market_price` is what a market order would trade at."""
    price = market_price
    if new.price is not None:
        price = new.price
        highest = PRICE_MAX if rules.price_max is None else rules.price_max
        is_between = 0 < price <= highest and price >= rules.price_min
        if not is_between or not is_multiple(price, rules.price_step):
            raise filter_failure("PRICE_FILTER")
        low, high = multiply(point.last, PRICE_MULTIPLIER_DOWN), multiply(point.last, PRICE_MULTIPLIER_UP)
        if not low <= price <= high:
            raise filter_failure("PERCENT_PRICE_BY_SIDE")
    if not rules.amount_min <= new.amount <= AMOUNT_MAX or not is_multiple(new.amount, rules.amount_step):
        raise filter_failure("LOT_SIZE")
    if multiply(new.amount, price) < rules.cost_min:
        raise filter_failure("NOTIONAL")


def check_crossing(new: NewOrder, point: PricePoint) -> None:
    if new.kind == "LIMIT_MAKER" and crosses(new, point):
        raise order_rejected(WOULD_MATCH)


def crosses(new: NewOrder, point: PricePoint) -> bool:
    """Whether the order would trade at once."""
    if new.price is None:
        return True
    return point.ask <= new.price if new.side == Side.BUY else point.bid >= new.price


def check_money(new: NewOrder, market_price: Decimal, free: Decimal) -> None:
    """`free` is of the currency that the order pays with."""
    needed = new.amount
    if new.side == Side.BUY:
        needed = multiply(new.amount, market_price if new.price is None else new.price)
    if free < needed:
        raise order_rejected(NO_MONEY)
