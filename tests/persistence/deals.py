"""Small lawful histories for the store's tests: subjects born and moved as the engine would write them."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from fsm.commit import CommitBatch, JournalEntry, OutboxRow
from fsm.records import (
    Fill,
    OrderRecord,
    PairRecord,
    PermissionRecord,
    PositionRecord,
    Record,
    changes_between,
)
from fsm.values import Verdict
from persistence.store import SqliteStore
from persistence.subjects import SUBJECT_TABLES
from services.deals.booking import book_on_order

R = TypeVar("R", bound=Record)
SYMBOL = "BTC/USDT"
VERDICT = Verdict("risk_allows_entry", True, "exposure 100 + 50 <= 5000")


@dataclass(slots=True)
class History:
    """Fills one batch; `at_ms` moves on with every entry."""

    at_ms: int = 1_700_000_000_000
    batch: CommitBatch = field(default_factory=CommitBatch)

    def born(self, record: R) -> R:
        record.version = 1
        self._write(None, record, "born")
        return record

    def moved(self, record: R, state: str, event: str = "moved_on", **changes: Any) -> R:
        after = record.copy()
        after.version += 1
        after.state = state
        for name, value in changes.items():
            setattr(after, name, value)
        self._write(record, after, event)
        return after

    def filled(
        self,
        record: OrderRecord,
        *fills: Fill,
        state: str = "filled",
        event: str = "order_filled",
        **changes: Any,
    ) -> OrderRecord:
        """Fills and their order's one move, in which they are booked on it as the engine books them."""
        booked = record.copy()
        book_on_order(booked, fills)
        self.batch.fills.extend(fills)
        for name in ("filled", "cost", "fee_base", "fee_quote"):
            changes[name] = getattr(booked, name)
        return self.moved(record, state, event, **changes)

    def refused(self, record: Record, event: str, because: str) -> None:
        verdict = Verdict("risk_allows_entry", False, because)
        self.batch.journal.append(self._entry(record, record, event, "refused", (verdict,), {}))

    def take(self) -> CommitBatch:
        batch, self.batch = self.batch, CommitBatch()
        return batch

    def _write(self, before: Record | None, after: Record, event: str) -> None:
        key = (after.machine, after.subject_id)
        base = self.batch.records[key][1] if key in self.batch.records else (before.version if before else 0)
        self.batch.records[key] = (after, base)
        changes = changes_between(before, after)
        self.batch.journal.append(self._entry(before, after, event, "moved", (VERDICT,), changes))

    def _entry(
        self,
        before: Record | None,
        after: Record,
        event: str,
        outcome: str,
        verdicts: tuple[Verdict, ...],
        changes: dict[str, Any],
    ) -> JournalEntry:
        self.at_ms += 1
        definition = SUBJECT_TABLES[after.machine].definition
        return JournalEntry(
            at_ms=self.at_ms,
            machine=after.machine,
            subject_id=after.subject_id,
            version=after.version,
            event=event,
            source=before.state if before else definition.initial,
            target=after.state,
            outcome=outcome,
            verdicts=verdicts,
            changes=changes,
            definition=definition.hash,
        )


def pair(symbol: str = SYMBOL) -> PairRecord:
    return PairRecord(state="idle", symbol=symbol, strategy='[{"name":"macd"}]')


def permission(scope: str, state: str = "active", reason: str = "") -> PermissionRecord:
    return PermissionRecord(state=state, scope=scope, reason=reason)


def position(number: int = 1, symbol: str = SYMBOL, state: str = "ordering") -> PositionRecord:
    return PositionRecord(
        state=state,
        id=f"p{number}",
        symbol=symbol,
        strategy="macd",
        rules='{"take_profit":"0.015"}',
        quota=Decimal("100.00"),
        reference_price=Decimal("30000.10"),
        created_at_ms=1_700_000_000_000,
    )


def order(of: PositionRecord, number: int = 1, state: str = "submitting") -> OrderRecord:
    return OrderRecord(
        state=state,
        client_order_id=f"a{of.id}e{number}",
        position_id=of.id,
        symbol=of.symbol,
        leg="entry",
        side="buy",
        type="limit",
        amount=Decimal("0.00330"),
        price=Decimal("30000.1"),
        created_at_ms=1_700_000_000_000,
    )


def fill_of(of: OrderRecord, number: int = 1, amount: str = "0.00330", fee: str = "0.0990") -> Fill:
    return Fill(
        id=f"f{number}",
        client_order_id=of.client_order_id,
        symbol=of.symbol,
        side=of.side,
        amount=Decimal(amount),
        price=Decimal("30000.10"),
        fee=Decimal(fee),
        fee_currency="USDT",
        at_ms=1_700_000_000_500,
    )


def send(of: OrderRecord) -> OutboxRow:
    return OutboxRow(
        f"send-{of.client_order_id}", "send_order", of.client_order_id, of.symbol, of.created_at_ms
    )


def one_deal(history: History) -> tuple[PositionRecord, OrderRecord]:
    """A pair, a position and its entry order on its way: the first commit of most tests, not yet taken."""
    history.born(pair())
    deal = history.born(position())
    entry = history.born(order(deal))
    history.batch.outbox.append(send(entry))
    return deal, entry


def stored_deal(path: Path) -> tuple[PositionRecord, OrderRecord]:
    """A closed database that holds one deal."""
    history = History()
    deal = one_deal(history)
    with SqliteStore.open(path) as store:
        store.load()
        store.commit(history.take())
    return deal
