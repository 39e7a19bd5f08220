"""What the live deals bind: their number, their exposure, and the quote currency promised to entries in flight."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import NamedTuple

from fsm import position as position_machine
from fsm.records import PositionRecord
from fsm.values import MONEY, ZERO

_SHARE = Context(prec=28)
"""For quotients, which have no end: so much narrower than the context of sums that these stay exact."""

_ENDED = position_machine.POSITION.finals
_ENTERING = frozenset({position_machine.IDLE, position_machine.SIGNALLED, position_machine.ORDERING})


class Claim(NamedTuple):
    """What one position binds: `exposure` at cost, and the part of it not yet spent."""

    deals: int = 0
    exposure: Decimal = ZERO
    reserved: Decimal = ZERO


_NOTHING = Claim()


def claim_of(position: PositionRecord | None) -> Claim:
    if position is None or position.state in _ENDED:
        return _NOTHING
    if position.state in _ENTERING:
        unspent = max(MONEY.subtract(position.quota, position.spent), ZERO)
        return Claim(1, MONEY.add(position.spent, unspent), unspent)
    if not position.sold or not position.bought:
        return Claim(1, position.spent)
    return Claim(1, _SHARE.divide(MONEY.multiply(position.spent, position.quantity), position.bought))


@dataclass(slots=True)
class Commitments:
    """Sums over all live positions, kept in step turn by turn, so that a limit is one comparison.

    A turn's claims count from the moment it ends, before its commit; `release` takes them back when the commit fails.
    """

    deals: int = 0
    exposure: Decimal = ZERO
    reserved: Decimal = ZERO
    deals_of: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    exposure_of: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    quote_total: Decimal = ZERO
    """Quote currency at the exchange, free and locked, moved along with every booked fill."""

    def replace(self, before: PositionRecord | None, after: PositionRecord | None) -> None:
        some = after or before
        if some is None:
            return
        old, new = claim_of(before), claim_of(after)
        self.deals += new.deals - old.deals
        change = MONEY.subtract(new.exposure, old.exposure)
        self.exposure = MONEY.add(self.exposure, change)
        self.reserved = MONEY.add(self.reserved, MONEY.subtract(new.reserved, old.reserved))
        self.deals_of[some.symbol] += new.deals - old.deals
        self.exposure_of[some.symbol] = MONEY.add(self.exposure_of[some.symbol], change)
        self.quote_total = MONEY.add(self.quote_total, MONEY.subtract(_money(after), _money(before)))

    @property
    def available(self) -> Decimal:
        """Quote currency that no entry in flight has been promised."""
        return MONEY.subtract(self.quote_total, self.reserved)


def _money(position: PositionRecord | None) -> Decimal:
    if position is None:
        return ZERO
    return MONEY.subtract(MONEY.subtract(position.received, position.spent), position.fee_quote)
