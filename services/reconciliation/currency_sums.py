"""What each currency should add up to, and by how much the exchange's balance lies beyond it and its tolerance."""

from decimal import Decimal

from fsm.values import MONEY, ZERO, base_of, quote_of
from services.messages import Balance
from services.reconciliation.plan import Account, Beliefs


def base_coins(beliefs: Beliefs) -> list[str]:
    """Of the pairs, and those that positions of former pairs hold."""
    symbols = (*beliefs.symbols, *beliefs.totals.holdings)
    return list(dict.fromkeys(base_of(symbol) for symbol in symbols))


def quote_currencies(beliefs: Beliefs) -> list[str]:
    return list(dict.fromkeys(quote_of(symbol) for symbol in beliefs.symbols))


def total_of(account: Account, currency: str) -> Decimal:
    """What the exchange says of it; zero where it says nothing."""
    return account.balances.get(currency, Balance()).total


def held_of(beliefs: Beliefs, base: str) -> Decimal:
    """What all positions hold of a coin, the dust they left included."""
    total = ZERO
    for symbol, held in beliefs.totals.holdings.items():
        if base_of(symbol) == base:
            total = MONEY.add(total, held)
    return total


def coin_surplus(beliefs: Beliefs, account: Account, base: str) -> Decimal:
    """By how much the exchange has more of a coin than all positions hold; below zero when it has less."""
    return _told_apart(base, MONEY.subtract(total_of(account, base), held_of(beliefs, base)), beliefs)


def _told_apart(currency: str, surplus: Decimal, beliefs: Beliefs) -> Decimal:
    """Zero when the surplus is within what the currency may differ by, as by an exchange's rounding of fees."""
    return ZERO if abs(surplus) <= beliefs.tolerances.get(currency, ZERO) else surplus


def earned_in(beliefs: Beliefs, quote: str) -> Decimal:
    """What all positions together received beyond what they spent and paid in fees."""
    total = ZERO
    for symbol, money in beliefs.totals.money.items():
        if quote_of(symbol) == quote:
            total = MONEY.add(total, money)
    return total


def quote_surplus(beliefs: Beliefs, account: Account, quote: str) -> Decimal:
    """By how much the balance exceeds its baseline and what was earned; zero while there is no baseline."""
    baseline = beliefs.baselines.get(quote)
    if baseline is None:
        return ZERO
    surplus = MONEY.subtract(MONEY.subtract(total_of(account, quote), earned_in(beliefs, quote)), baseline)
    return _told_apart(quote, surplus, beliefs)
