"""What a trade costs: a fraction of what was received, in that coin, or in a coin set aside for fees."""

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_DOWN, Context, Decimal

from fsm.records import Fill
from fsm.values import ZERO, Side, base_of, quote_of
from services.exchanges.exact import multiply, subtract
from services.exchanges.ledger import Ledger

FEE_COIN_DISCOUNT = Decimal("0.25")
"""What Binance takes off a fee that is paid in its own coin."""
_UNIT = Decimal("0.00000001")
_CONTEXT = Context(prec=60, rounding=ROUND_DOWN)


class Commission:
    """Takes each fee out of the ledger; cut after eight decimals, as all amounts of the exchange are."""

    def __init__(
        self, rate: Decimal, coin: str | None, ledger: Ledger, last_price: Callable[[str], Decimal | None]
    ) -> None:
        """`last_price` knows the price of a symbol, None where there is no such market."""
        self._rate = rate
        self._coin = coin
        self._ledger = ledger
        self._last_price = last_price

    @property
    def rate(self) -> Decimal:
        return self._rate

    def charge(self, fill: Fill) -> Fill:
        """The fill with the fee that has been taken for it."""
        fee, currency = self._in_coin(fill) or self._in_received(fill)
        self._ledger.take(currency, fee)
        return replace(fill, fee=fee, fee_currency=currency)

    def _in_received(self, fill: Fill) -> tuple[Decimal, str]:
        if fill.side == Side.BUY:
            return _cut(multiply(fill.amount, self._rate)), base_of(fill.symbol)
        cost = multiply(fill.amount, fill.price)
        return _cut(multiply(cost, self._rate)), quote_of(fill.symbol)

    def _in_coin(self, fill: Fill) -> tuple[Decimal, str] | None:
        """None where no coin is set aside, its price is not known, or there is too little of it."""
        coin = self._coin
        if coin is None:
            return None
        cost = multiply(fill.amount, fill.price)
        price = Decimal(1) if coin == quote_of(fill.symbol) else self._price(coin, quote_of(fill.symbol))
        if not price:
            return None
        discounted = multiply(multiply(cost, self._rate), subtract(Decimal(1), FEE_COIN_DISCOUNT))
        fee = _cut(_CONTEXT.divide(discounted, price))
        return (fee, coin) if self._ledger.free(coin) >= fee else None

    def _price(self, coin: str, quote: str) -> Decimal:
        return self._last_price(f"{coin}/{quote}") or ZERO


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(_UNIT, rounding=ROUND_DOWN, context=_CONTEXT)
