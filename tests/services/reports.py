"""What an exchange may say of an order, in short words for tests."""

from decimal import Decimal

from fsm.records import Fill
from services.messages import MarketRules, OrderReport, OrderStatus

PAIR, BASE, QUOTE = "ADA/USDT", "ADA", "USDT"
MARKET = MarketRules(PAIR, Decimal("0.1"), Decimal("0.01"), amount_min=Decimal("0.2"), cost_min=Decimal(5))
"""At a price of 10 a deal of 100 USDT is 10 ADA, and 0.5 ADA is the least that can be sold."""


def trade(
    number: str, of: str, amount: str, price: str = "10", fee: str = "0", side: str = "buy", coin: str = QUOTE
) -> Fill:
    return Fill(number, of, PAIR, side, Decimal(amount), Decimal(price), Decimal(fee), coin, 1)


def said(
    of: str,
    status: OrderStatus,
    *fills: Fill,
    filled: str | None = None,
    name: str | None = "x1",
    reason: str = "",
) -> OrderReport:
    """A report; `filled` is what its fills add up to unless the exchange says otherwise."""
    total = sum((fill.amount for fill in fills), Decimal(0)) if filled is None else Decimal(filled)
    return OrderReport(of, PAIR, name, status, total, fills, reason)


def resting(of: str, *fills: Fill) -> OrderReport:
    return said(of, OrderStatus.OPEN, *fills)


def closed(of: str, *fills: Fill) -> OrderReport:
    return said(of, OrderStatus.CLOSED, *fills)


def cancelled(of: str, *fills: Fill, filled: str | None = None) -> OrderReport:
    return said(of, OrderStatus.CANCELED, *fills, filled=filled)


def expired(of: str, *fills: Fill) -> OrderReport:
    return said(of, OrderStatus.EXPIRED, *fills)


def rejected(of: str, reason: str = "no") -> OrderReport:
    return said(of, OrderStatus.REJECTED, reason=reason)
