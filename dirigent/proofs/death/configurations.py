"""Configurations of small, fast engines on the paper exchange."""

from collections.abc import Iterable
from dataclasses import dataclass

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "LTC/USDT", "DOGE/USDT", "ADA/USDT")


@dataclass(frozen=True, slots=True)
class Market:
    """How the paper exchange behaves."""

    seed: int = 1
    fee_in: str = "quote"
    partial_fill_probability: float = 0.3
    latency_ms_min: int = 2
    latency_ms_max: int = 40
    ticks_per_s: int = 200

    def toml(self) -> str:
        return f"""
[paper]
seed = {self.seed}
balances = {{ USDT = "10000" }}
fee_in = "{self.fee_in}"
partial_fill_probability = {self.partial_fill_probability}
latency_ms_min = {self.latency_ms_min}
latency_ms_max = {self.latency_ms_max}
ticks_per_s = {self.ticks_per_s}
"""


_RESTLESS = """
deal_quota = "50"
max_deals = 3
take_profit = "0.0006"
stop_loss = "0.0006"
trailing_stop = "0.0004"
max_hold_s = 0.6
entry_max_age_s = 0.3
entry_attempts = 2
"""


def restless(market: Market, symbols: Iterable[str] = SYMBOLS) -> str:
    """Deals all the time: short averages, near exits, every other pair enters with limit orders."""
    pairs = [
        f'[[pairs]]\nsymbol = "{symbol}"\nstrategy = "sma_cross"\nparams = {{ fast = 2, slow = 4 }}\n'
        f'order_type = "{"limit" if number % 2 else "market"}"{_RESTLESS}'
        for number, symbol in enumerate(symbols)
    ]
    return market.toml() + "\n".join(pairs) + "\n[risk]\nmax_open_deals = 20\n"


def only_leaving(market: Market, symbols: Iterable[str] = SYMBOLS) -> str:
    """The same pairs, and nobody signals: what is open leaves by its own rules, nothing enters."""
    pairs = [f'[[pairs]]\nsymbol = "{symbol}"\nstrategy = "external"\n' for symbol in symbols]
    return market.toml() + "\n".join(pairs)
