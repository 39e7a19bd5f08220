"""What is remembered of each subject: one record a pair, position, order and permission, and the fills.

A record is owned by the turn that changes it: it is copied before the first change and swapped in after the commit.
Amounts are in the base coin, prices and money in the quote coin, moments in milliseconds since the epoch (UTC).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, ClassVar, Self

from fsm.values import ZERO


@dataclass(slots=True)
class Record:
    """The part that every subject has. `version` counts its transitions; 0 means not yet stored."""

    machine: ClassVar[str]
    key: ClassVar[str]
    """The name of the field that identifies the subject."""

    state: str
    version: int = 0
    due_at_ms: int | None = None
    """When `deadline_passed` is raised; None while nothing is waited for."""
    reason: str = ""
    """Why it is as it is, for people."""

    @property
    def subject_id(self) -> str:
        identity: str = getattr(self, self.key)
        return identity

    def copy(self) -> Self:
        kind = type(self)
        return kind(*values_of(kind)(self))


_FIELD_NAMES: dict[type, tuple[str, ...]] = {}
_VALUES_OF: dict[type, Callable[[Any], tuple[Any, ...]]] = {}


def field_names(kind: type) -> tuple[str, ...]:
    """The stored fields of a record type, in their fixed order."""
    names = _FIELD_NAMES.get(kind)
    if names is None:
        names = _FIELD_NAMES[kind] = tuple(f.name for f in fields(kind))
    return names


def values_of(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    """Reads all stored fields of a record of this type at once, in their fixed order."""
    read = _VALUES_OF.get(kind)
    if read is None:
        read = _VALUES_OF[kind] = attrgetter(*field_names(kind))
    return read


@dataclass(slots=True)
class PairRecord(Record):
    machine: ClassVar[str] = "pair"
    key: ClassVar[str] = "symbol"

    symbol: str = ""
    strategy: str = ""
    """Strategies and parameters as canonical JSON."""
    signal: str = ""
    """The accepted signal while one is in flight, as canonical JSON."""
    entry_position_id: str = ""
    cooldown_until_ms: int = 0


@dataclass(slots=True)
class PermissionRecord(Record):
    machine: ClassVar[str] = "permission"
    key: ClassVar[str] = "scope"

    scope: str = ""
    """A symbol, or `engine`."""


@dataclass(slots=True)
class PositionRecord(Record):
    machine: ClassVar[str] = "position"
    key: ClassVar[str] = "id"

    id: str = ""
    symbol: str = ""
    strategy: str = ""
    rules: str = ""
    """The entry and exit rules it was born with, as canonical JSON."""
    signal_id: str = ""
    quota: Decimal = ZERO
    """Quote currency reserved for the entry."""
    reference_price: Decimal = ZERO
    """The price at which the entry was decided."""
    bought: Decimal = ZERO
    spent: Decimal = ZERO
    sold: Decimal = ZERO
    received: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_quote: Decimal = ZERO
    quantity: Decimal = ZERO
    """Held now: bought - sold - fee_base - dust."""
    dust: Decimal = ZERO
    """Left behind because the exchange would not take so little."""
    high_water: Decimal = ZERO
    """The highest price since it opened; the trailing stop hangs below it."""
    realized_pnl: Decimal = ZERO
    entry_attempt: int = 0
    exit_attempt: int = 0
    entry_order_id: str = ""
    exit_order_id: str = ""
    exit_reason: str = ""
    created_at_ms: int = 0
    opened_at_ms: int | None = None
    closed_at_ms: int | None = None

    @property
    def entry_price(self) -> Decimal | None:
        return self.spent / self.bought if self.bought else None

    @property
    def exit_price(self) -> Decimal | None:
        return self.received / self.sold if self.sold else None


@dataclass(slots=True)
class OrderRecord(Record):
    machine: ClassVar[str] = "order"
    key: ClassVar[str] = "client_order_id"

    client_order_id: str = ""
    exchange_order_id: str = ""
    position_id: str = ""
    symbol: str = ""
    leg: str = ""
    side: str = ""
    type: str = ""
    attempt: int = 0
    amount: Decimal = ZERO
    price: Decimal | None = None
    """The limit; None for a market order."""
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_quote: Decimal = ZERO
    cancel_reason: str = ""
    created_at_ms: int = 0
    sent_at_ms: int = 0

    @property
    def average(self) -> Decimal | None:
        return self.cost / self.filled if self.filled else None


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of one order, as the exchange reports it. `id` is unique within the symbol."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    at_ms: int


RECORD_TYPES: dict[str, type[Record]] = {
    kind.machine: kind for kind in (PairRecord, PermissionRecord, PositionRecord, OrderRecord)
}


def changes_between(before: Record | None, after: Record) -> dict[str, Any]:
    """The fields of `after` that differ from `before`; all of them when there was none."""
    kind = type(after)
    names, read = field_names(kind), values_of(kind)
    if before is None:
        return dict(zip(names, read(after), strict=True))
    now, then = read(after), read(before)
    changes = {}
    for place in compress(range(len(names)), map(is_not, now, then)):
        value = now[place]
        if value != then[place]:
            changes[names[place]] = value
    return changes
