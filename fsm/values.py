"""The words that every machine shares: identifiers, sides, verdicts."""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from typing import NamedTuple, NewType

Symbol = NewType("Symbol", str)
"""A market as ccxt writes it, base and quote: `BTC/USDT`."""

PositionId = NewType("PositionId", str)
ClientOrderId = NewType("ClientOrderId", str)
"""1 to 18 lower-case letters and digits, not starting with `t`: a form that every supported exchange takes."""

Milliseconds = NewType("Milliseconds", int)
"""A moment: milliseconds since 1970-01-01T00:00:00Z."""

ZERO = Decimal(0)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Leg(StrEnum):
    """Which end of a position an order serves."""

    ENTRY = "entry"
    EXIT = "exit"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


class ExitReason(StrEnum):
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    OPPOSITE_SIGNAL = "opposite_signal"
    TIME_LIMIT = "time_limit"
    FORCE = "force"
    DETACHED = "detached"
    """Given up by a person: its coins are no longer at the exchange."""


class Verdict(NamedTuple):
    """A guard's answer: its name, whether it holds, and the comparison in words and numbers.

    A tuple, since several are made at every move, and a frozen dataclass takes three times as long to make.
    """

    guard: str
    holds: bool
    because: str = ""


Ask = Callable[[str], Verdict]
"""Answers a guard by name from facts that do not change while one turn is decided."""


def base_of(symbol: str) -> str:
    return symbol.partition("/")[0]


def quote_of(symbol: str) -> str:
    return symbol.partition("/")[2].partition(":")[0]


MONEY = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""Books are kept in this context: wide enough that no sum or product of exchange numbers is rounded.

The thread's own context is not relied upon: libraries change it.
"""
