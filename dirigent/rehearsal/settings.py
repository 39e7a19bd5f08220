"""How a rehearsal exchange is set up: its address, its markets, its account and its faults."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from dirigent.rehearsal.chaos import Chaos

_COIN = re.compile(r"[A-Z0-9]{1,20}")
_SYMBOL = re.compile(f"{_COIN.pattern}/{_COIN.pattern}")

TICKS_PER_S_MAX = 10_000
"""Of one symbol: beyond what any machine keeps up with."""

API_KEY = "rehearsal-key-not-a-real-one"
SECRET = "rehearsal-secret-not-a-real-one"


@dataclass(frozen=True, slots=True)
class RehearsalSettings:
    """Fractions are of the price. `ticks_per_s` is per symbol; with 0 prices move only when they are told to."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT")
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    api_key: str = API_KEY
    secret: str = SECRET
    public_key: str | None = None
    """PEM of the Ed25519 or RSA key that checks signatures, instead of the secret."""
    may_withdraw: bool = False
    """Whether the key's permissions say that it may withdraw."""
    fee: Decimal = Decimal("0.001")
    fee_coin: str | None = None
    """A coin, such as BNB, that pays fees at a discount while the account has enough of it."""
    spread: Decimal = Decimal("0.0002")
    slippage: Decimal = Decimal(0)
    ticks_per_s: float = 1
    state: Path | None = None
    """A file in which the account survives from one start to the next; its balances win over `balances`."""
    latency_ms: tuple[int, int] = (0, 0)
    """The least and the greatest time before a request is looked at."""
    chaos: Chaos = field(default_factory=Chaos)

    def __post_init__(self) -> None:
        if not self.symbols:
            raise ValueError("symbols is empty; name at least one market")
        for symbol in self.symbols:
            if not _SYMBOL.fullmatch(symbol):
                raise ValueError(f'{symbol!r} is not a spot market as BASE/QUOTE, such as "BTC/USDT"')
        for name, fraction in (("fee", self.fee), ("slippage", self.slippage), ("spread", self.spread)):
            if not 0 <= fraction < 1:
                raise ValueError(f"{name} {fraction} is not a fraction: at least 0 and below 1")
        if not 0 <= self.ticks_per_s <= TICKS_PER_S_MAX:
            raise ValueError(f"ticks_per_s {self.ticks_per_s} is not between 0 and {TICKS_PER_S_MAX}")
        if self.fee_coin is not None and not _COIN.fullmatch(self.fee_coin):
            raise ValueError(f'{self.fee_coin!r} is not a coin, such as "BNB"')
        low, high = self.latency_ms
        if not 0 <= low <= high:
            raise ValueError(f"latency_ms {self.latency_ms} is not a least and a greatest time")

    @property
    def listed(self) -> tuple[str, ...]:
        """The symbols, and the markets in which the coin that pays fees has its price."""
        if self.fee_coin is None:
            return self.symbols
        quotes = {symbol.partition("/")[2] for symbol in self.symbols} - {self.fee_coin}
        extra = (f"{self.fee_coin}/{quote}" for quote in sorted(quotes))
        return tuple(dict.fromkeys((*self.symbols, *extra)))
