"""An account at a simulated exchange: per currency what is free and what resting orders have locked."""

from collections.abc import Mapping
from decimal import Decimal

from fsm.values import ZERO
from services.exchanges.exact import add, subtract
from services.messages import Balance


class LedgerError(Exception):
    """A booking that would make a balance negative: a fault of the matching, never of an order."""


class Ledger:
    """Bookings are exact. What is locked or taken must be there."""

    def __init__(self, balances: Mapping[str, Balance]) -> None:
        self._free = {currency: balance.free for currency, balance in balances.items()}
        self._used = {currency: balance.used for currency, balance in balances.items()}

    def free(self, currency: str) -> Decimal:
        return self._free.get(currency, ZERO)

    def total(self, currency: str) -> Decimal:
        return add(self._free.get(currency, ZERO), self._used.get(currency, ZERO))

    def balance(self, currency: str) -> Balance:
        return Balance(self._free.get(currency, ZERO), self._used.get(currency, ZERO))

    def balances(self) -> dict[str, Balance]:
        return {currency: self.balance(currency) for currency in self._free}

    def give(self, currency: str, amount: Decimal) -> None:
        self._free[currency] = add(self.free(currency), amount)

    def take(self, currency: str, amount: Decimal) -> None:
        self._free[currency] = _left(currency, self.free(currency), amount)

    def lock(self, currency: str, amount: Decimal) -> None:
        self.take(currency, amount)
        self._used[currency] = add(self._used.get(currency, ZERO), amount)

    def release(self, currency: str, amount: Decimal) -> None:
        self._used[currency] = _left(currency, self._used.get(currency, ZERO), amount)
        self.give(currency, amount)


def _left(currency: str, held: Decimal, amount: Decimal) -> Decimal:
    left = subtract(held, amount)
    if left < 0:
        raise LedgerError(f"{currency}: {amount} is booked and only {held} is there")
    return left
