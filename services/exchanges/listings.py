"""What the paper exchange lists: a plausible start price and the market rules of any symbol."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from fsm.values import base_of, quote_of
from services.messages import MarketRules

_WORTH = {
    "BTC": "65000",
    "ETH": "3200",
    "BNB": "580",
    "SOL": "150",
    "LTC": "80",
    "AVAX": "30",
    "LINK": "15",
    "DOT": "6.5",
    "TON": "5.5",
    "ADA": "0.45",
    "XRP": "0.52",
    "TRX": "0.12",
    "DOGE": "0.13",
    "USDT": "1",
    "USDC": "1",
    "USD": "1",
    "EUR": "1.08",
}
"""One coin in US dollars, roughly."""

_PRICE_DIGITS = 6
_PRICE_STEPS_MAX = 10**9
"""Some thousand times the present price, as Binance has it for many coins."""
_AMOUNT_STEP_WORTH = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Listing:
    start_price: Decimal
    rules: MarketRules


def listing(symbol: str) -> Listing:
    """A price has six digits, an amount step is worth at most half a dollar, the least order is five dollars.

    A coin that is not well known gets a worth between 0.1 and 100 dollars from a hash of its name.
    """
    base, quote = worth(base_of(symbol)), worth(quote_of(symbol))
    price_step = _power_of_ten((base / quote).adjusted() - _PRICE_DIGITS + 1)
    amount_step = _power_of_ten((_AMOUNT_STEP_WORTH / base).adjusted())
    cost_step = _power_of_ten((5 / quote).adjusted())
    rules = MarketRules(
        symbol=symbol,
        amount_step=amount_step,
        price_step=price_step,
        amount_min=amount_step,
        cost_min=(5 / quote).quantize(cost_step),
        price_min=price_step,
        price_max=price_step * _PRICE_STEPS_MAX,
    )
    return Listing((base / quote).quantize(price_step), rules)


def worth(currency: str) -> Decimal:
    """One coin in US dollars, for simulation only."""
    known = _WORTH.get(currency)
    if known is not None:
        return Decimal(known)
    digest = hashlib.sha256(currency.encode()).digest()
    exponent = int.from_bytes(digest[:4], "big") % 3 - 1
    digits = 1000 + int.from_bytes(digest[4:8], "big") % 9000
    return Decimal(digits).scaleb(exponent - 3)


def _power_of_ten(exponent: int) -> Decimal:
    return Decimal(1).scaleb(exponent)
