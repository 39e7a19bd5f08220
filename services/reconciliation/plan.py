"""The words of a reconciliation: the two sides that are compared, the rows of the plan, and who settles each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from fsm.commit import Totals
from fsm.records import OrderRecord, PositionRecord
from services.messages import Balance, OrderReport


class Settlement(StrEnum):
    """Who settles a difference."""

    CERTAIN = "certain"
    """The evidence decides; the engine applies it."""
    PERSON = "person"
    """Nobody knows what is right: the pair stops entering until a person has decided."""
    REPORTED = "reported"
    """It is not ours. It is told and left alone, unless a person adopts it."""


class Kind(StrEnum):
    ORDER_MISSING = "order_missing"
    ORDER_ENDED = "order_ended"
    ORDER_ALIVE = "order_alive"
    ORDER_UNKNOWN = "order_unknown"
    ORDER_UNBOOKED = "order_unbooked"
    ORDER_FOREIGN = "order_foreign"
    FILL_MISSED = "fill_missed"
    FILL_UNCONFIRMED = "fill_unconfirmed"
    HOLDING_MISSING = "holding_missing"
    HOLDING_FOREIGN = "holding_foreign"
    QUOTE_DIFFERS = "quote_differs"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of the plan."""

    kind: Kind
    subject: str
    """The client order id, or the coin."""
    symbols: tuple[str, ...]
    """The pairs that it concerns."""
    believes: str
    says: str
    evidence: str
    proposal: str
    settlement: Settlement
    remedy: str = ""
    """The command with which a person settles it."""
    report: OrderReport | None = None
    event: str = ""
    surplus: Decimal | None = None
    """Of a coin: by how much the exchange has more."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for the same difference seen twice."""
        return self.kind, self.subject, self.believes, self.says


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The engine's side of one moment."""

    tag: str
    symbols: tuple[str, ...]
    live: Mapping[str, OrderRecord]
    ended: Mapping[str, OrderRecord]
    """Those that ended last, and those older ones that the exchange lists as open."""
    positions: Sequence[PositionRecord]
    totals: Totals
    baselines: Mapping[str, Decimal] = field(default_factory=dict)
    former_tags: tuple[str, ...] = ()
    """Of the database's lives before a backup was put back: their orders are ours."""
    tolerances: Mapping[str, Decimal] = field(default_factory=dict)
    """By currency, how far the two sides may lie apart without a word; exact where none is named."""
    moving: Collection[str] = ()
    """Symbols of which something changed while the exchange was asked: not compared this time."""


@dataclass(frozen=True, slots=True)
class Account:
    """The exchange's side of one moment."""

    open_orders: Sequence[OrderReport]
    balances: Mapping[str, Balance]
    answers: Mapping[str, OrderReport | None] = field(default_factory=dict)
    """What it said of single orders; None where every source said no."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """The orders of which it said nothing, with the fault: no evidence of anything."""
    asked_at_ms: int | None = None
    """When the first question left: an absence is of that moment."""

    @property
    def open_by_id(self) -> dict[str, OrderReport]:
        """Orders without a name of ours go by the exchange's, so that none hides another."""
        return {
            report.client_order_id or str(report.exchange_order_id): report for report in self.open_orders
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Every difference found, and what could not be compared."""

    differences: tuple[Difference, ...]
    not_compared: tuple[str, ...] = ()
    still_quotes: Mapping[str, Decimal] = field(default_factory=dict)
    """By quote currency that nothing is moving in: what the account holds beyond what the positions earned."""
    asked_at_ms: int | None = None
    beside: Mapping[str, Decimal] = field(default_factory=dict)
    """By coin that is nobody's: what the account holds of it. Told, and no difference."""

    def settled_by(self, settlement: Settlement) -> list[Difference]:
        return [row for row in self.differences if row.settlement is settlement]


def told(row: Difference) -> dict[str, str]:
    """The row for people and for JSON."""
    return {
        "what": row.kind,
        "subject": row.subject,
        "symbols": " ".join(row.symbols),
        "believes": row.believes,
        "says": row.says,
        "evidence": row.evidence,
        "proposal": row.proposal,
        "settled_by": row.settlement,
        "remedy": row.remedy,
    }
