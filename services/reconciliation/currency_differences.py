"""The rows of currencies: coins that are missing or not ours, and a quote balance that no trade explains."""

from decimal import Decimal

from fsm.values import MONEY, ZERO, base_of
from services.reconciliation.currency_sums import (
    base_coins,
    coin_surplus,
    held_of,
    quote_currencies,
    quote_surplus,
    total_of,
)
from services.reconciliation.plan import Account, Beliefs, Difference, Kind, Settlement


def holding_row(base: str, beliefs: Beliefs, account: Account) -> Difference | None:
    """None where the coin adds up."""
    surplus = coin_surplus(beliefs, account, base)
    if not surplus:
        return None
    missing = surplus < ZERO
    owners = [p for p in beliefs.positions if base_of(p.symbol) == base and p.quantity > ZERO]
    names = ", ".join(owner.id for owner in owners)
    evidence = f"held by {names}" if names else "left as dust by positions that ended"
    symbols = [*beliefs.symbols, *beliefs.totals.holdings]
    return Difference(
        Kind.HOLDING_MISSING if missing else Kind.HOLDING_FOREIGN,
        base,
        tuple(dict.fromkeys(symbol for symbol in symbols if base_of(symbol) == base)),
        believes=f"{held_of(beliefs, base):f} {base}",
        says=f"{total_of(account, base):f} {base}",
        evidence=evidence
        if missing
        else "no order of ours bought it: those that ended last have no further trades",
        proposal=f"nothing: {abs(surplus):f} {base} {'are gone' if missing else 'are not ours'}",
        settlement=Settlement.PERSON if missing else Settlement.REPORTED,
        remedy=f"dirigent reconcile --detach {owners[0].id if owners else 'POSITION'}"
        if missing
        else f"dirigent reconcile --adopt {base}",
        surplus=surplus,
    )


def quote_row(quote: str, beliefs: Beliefs, account: Account) -> Difference | None:
    """None where the balance adds up, or has no baseline yet."""
    surplus = quote_surplus(beliefs, account, quote)
    if not surplus:
        return None
    expected = MONEY.subtract(total_of(account, quote), surplus)
    return Difference(
        Kind.QUOTE_DIFFERS,
        quote,
        (),
        believes=f"{expected:f} {quote}",
        says=f"{total_of(account, quote):f} {quote}",
        evidence="no trade of ours explains it: a deposit, a withdrawal, or a fee in another coin",
        proposal="nothing in the books; entries are measured against the exchange's balance",
        settlement=Settlement.REPORTED,
        remedy=f"dirigent reconcile --adopt {quote}",
        surplus=surplus,
    )


def coins_beside(beliefs: Beliefs, account: Account) -> dict[str, Decimal]:
    """What the account holds that is neither base nor quote of a pair, such as a coin that pays fees.

    The engine answers for none of it, so there is nothing to differ from.
    """
    ours = {*base_coins(beliefs), *quote_currencies(beliefs)}
    return {
        currency: balance.total
        for currency, balance in account.balances.items()
        if currency not in ours and balance.total
    }
