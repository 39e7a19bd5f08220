"""What a market demands of an order before it looks at the money."""

from decimal import Decimal

from fsm.values import OrderType, Side
from services.exchanges.exact import is_multiple, multiply
from services.messages import MarketRules, OrderRefused, OrderRequest

_LARGEST = Decimal("1E+30")


def refuse_bad_order(request: OrderRequest, rules: MarketRules, market_price: Decimal | None) -> None:
    """Raises OrderRefused with the number and the rule it breaks.

    `market_price` is what a market order would be executed at, None while there is no price.
    """
    if request.side not in (Side.BUY, Side.SELL):
        raise OrderRefused(f"side {request.side!r} is neither buy nor sell")
    _refuse_off_step("amount", request, request.amount, rules.amount_step)
    if request.amount < rules.amount_min:
        raise OrderRefused(
            f"amount {request.amount} of {request.symbol} is below amount_min {rules.amount_min}"
        )
    price = _price_of(request, rules, market_price)
    cost = multiply(request.amount, price)
    if cost < rules.cost_min:
        raise OrderRefused(
            f"cost {cost} of {request.amount} {request.symbol} at {price} is below cost_min {rules.cost_min}"
        )


def _price_of(request: OrderRequest, rules: MarketRules, market_price: Decimal | None) -> Decimal:
    if request.type == OrderType.MARKET:
        if request.price is not None:
            raise OrderRefused(f"a market order has no price, and {request.price} was given")
        if market_price is None:
            raise OrderRefused(f"{request.symbol} has no price yet for a market order")
        return market_price
    if request.type != OrderType.LIMIT:
        raise OrderRefused(f"type {request.type!r} is neither market nor limit")
    if request.price is None:
        raise OrderRefused("a limit order needs a price, and none was given")
    _refuse_off_step("price", request, request.price, rules.price_step)
    if request.price < rules.price_min:
        raise OrderRefused(f"price {request.price} of {request.symbol} is below price_min {rules.price_min}")
    if rules.price_max is not None and request.price > rules.price_max:
        raise OrderRefused(f"price {request.price} of {request.symbol} is above price_max {rules.price_max}")
    return request.price


def _refuse_off_step(name: str, request: OrderRequest, number: Decimal, step: Decimal) -> None:
    if not number.is_finite() or not 0 < number < _LARGEST:
        raise OrderRefused(f"{name} {number} of {request.symbol} is not a finite number above zero")
    if not is_multiple(number, step):
        raise OrderRefused(f"{name} {number} of {request.symbol} is not a multiple of {name}_step {step}")
