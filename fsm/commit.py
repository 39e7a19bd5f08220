"""What one transaction writes: changed records, journal entries, fills, and the requests that may leave after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fsm.order import ORDER
from fsm.records import Fill, OrderRecord, Record
from fsm.refusals import Assessment, Refusal
from fsm.values import Verdict


@dataclass(slots=True)
class JournalEntry:
    """One decided event; never changed once made (frozen, it would take three times as long to make).

    The store adds the sequence number and the hash that chains it to the entry before.

    `outcome` is `moved`, `refused` or `anomaly`; only a moved entry has `changes` (all fields of a subject that is
    new, else those that changed) and a new `version`.
    """

    at_ms: int
    machine: str
    subject_id: str
    version: int
    event: str
    source: str
    target: str
    outcome: str
    verdicts: tuple[Verdict, ...]
    changes: Mapping[str, Any]
    definition: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A request to the exchange. It is on disk before it is sent, and marked done with its outcome."""

    id: str
    kind: str
    """`send_order`, `send_cancel` or `look_up_order`."""
    client_order_id: str
    symbol: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class OfferedSignal:
    """A signal that was offered once and is never offered again, whatever became of it."""

    id: str
    symbol: str
    side: str
    outcome: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AnsweredCommand:
    """A person's command that is settled: executed, refused or expired, in the transaction that holds its effects."""

    id: str
    kind: str
    arguments: str
    """As JSON."""
    person: str
    given_at_ms: int
    answered_at_ms: int
    outcome: str
    """`done`, `refused` or `expired`."""
    answer: str


@dataclass(slots=True)
class CommitBatch:
    """Everything of one or several turns, written whole or not at all.

    `records` holds each changed record with the version it had in the store (0: it is new).
    """

    records: dict[tuple[str, str], tuple[Record, int]] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    outbox_done: list[str] = field(default_factory=list)
    signals: list[OfferedSignal] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """Single values of the engine by name, such as the equity with which the day began."""
    commands: list[AnsweredCommand] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (
            self.records
            or self.journal
            or self.fills
            or self.outbox
            or self.outbox_done
            or self.signals
            or self.facts
            or self.commands
        )

    @property
    def must_be_on_disk(self) -> bool:
        """Whether no power cut may take it back: a request leaves after it, a person is told that it is done, or an
        order that had ended is corrected.

        What is lost of an order that lives, the next start's look-up brings back; one that has ended is not asked for.
        """
        return bool(self.outbox or self.commands) or any(
            entry.machine == ORDER.name and entry.source in ORDER.finals for entry in self.journal
        )


FORMER_TAGS = "former_tags"
"""The fact that names the tags which a database had before it was put back from a backup, apart by spaces."""


def former_tags(facts: Mapping[str, str]) -> tuple[str, ...]:
    """Of the database's former lives, the last one last."""
    return tuple(facts.get(FORMER_TAGS, "").split())


@dataclass(slots=True)
class StoredState:
    """What a start finds: every pair and permission, and the positions and orders that have not ended."""

    tag: str
    """Five characters drawn when the database was made; order ids begin with it, so two databases never share one."""
    epoch: int
    last_position_number: int
    pairs: list[Record]
    permissions: list[Record]
    positions: list[Record]
    orders: list[Record]
    facts: dict[str, str]
    checkpoints: dict[str, str]
    """Indicators and strategies by symbol, as JSON."""
    pending_outbox: list[OutboxRow]


@dataclass(slots=True)
class Totals:
    """What all positions of a database, living and ended, add up to, by symbol."""

    holdings: dict[str, Decimal] = field(default_factory=dict)
    """Base coin: what is held, and the dust that was left."""
    money: dict[str, Decimal] = field(default_factory=dict)
    """Quote currency: received less spent less fees."""


@dataclass(slots=True)
class Standing:
    """A whole view of a database for one who only reads."""

    stored: StoredState
    totals: Totals
    recent: list[OrderRecord]
    """The orders that ended last, the latest first."""


@dataclass(slots=True)
class Progress:
    """What is saved now and then beside the transitions: needed for speed and for people, never for correctness."""

    at_ms: int
    heartbeat: Mapping[str, Any] = field(default_factory=dict)
    feeds: list[tuple[str, str, int, str]] = field(default_factory=list)
    """(symbol, last price, time of the last tick in ms, why the pair does not trade)."""
    checkpoints: dict[str, str] = field(default_factory=dict)
    refusals: Sequence[Refusal] = ()
    """Those that were counted since the last time."""
    assessments: Sequence[Assessment] = ()


class StoreError(Exception):
    """The store cannot do what was asked; the message names the file, the fault and the remedy."""


class StoreConflict(StoreError):
    """Another writer was here: a version or the epoch is not what this process left."""


class UnknownSubject(StoreError):
    """No such subject is stored."""
