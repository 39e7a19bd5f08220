"""A small database made through the real store: one open deal, one closed one, one refused signal."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from fsm.commit import CommitBatch, JournalEntry, OutboxRow, Progress
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
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
from services.deals.booking import book_on_order

NOON_MS = 1_767_268_800_000
"""2026-01-01T12:00:00Z."""
TAG = "abcde"
OPEN, CLOSED = "abcdep1", "abcdep2"
ENTRY, EXIT = "abcdeo1", "abcdeo2"
LONG_PRICE = Decimal("63000.123456789012345678")
STRATEGY = '[{"name":"sma_cross","params":{"fast":5,"slow":20},"weight":1}]'

_HASHES = {table.name: table.hash for table in (PAIR, POSITION, ORDER, PERMISSION)}
AnyRecord = TypeVar("AnyRecord", bound=Record)


def _born(batch: CommitBatch, record: AnyRecord, event: str, at_ms: int, source: str) -> AnyRecord:
    """Adds a new subject with the journal entry of its birth."""
    record.version = 1
    batch.records[(record.machine, record.subject_id)] = (record, 0)
    batch.journal.append(
        JournalEntry(
            at_ms=at_ms,
            machine=record.machine,
            subject_id=record.subject_id,
            version=1,
            event=event,
            source=source,
            target=record.state,
            outcome="moved",
            verdicts=(),
            changes=changes_between(None, record),
            definition=_HASHES[record.machine],
        )
    )
    return record


def refusal(at_ms: int) -> JournalEntry:
    """A buy signal that the deals already open forbid."""
    return JournalEntry(
        at_ms=at_ms,
        machine="pair",
        subject_id="BTC/USDT",
        version=1,
        event="entry_considered",
        source="signalled",
        target="signalled",
        outcome="refused",
        verdicts=(
            Verdict("price_is_fresh", True, "0 ms old, limit 30000 ms"),
            Verdict("risk_allows_entry", False, "max_open_deals 5/5"),
        ),
        changes={},
        definition=PAIR.hash,
    )


def _entry_order() -> OrderRecord:
    return OrderRecord(
        "filled",
        client_order_id=ENTRY,
        exchange_order_id="77",
        position_id=OPEN,
        symbol="BTC/USDT",
        leg="entry",
        side="buy",
        type="market",
        amount=Decimal("0.0010"),
        created_at_ms=NOON_MS,
        sent_at_ms=NOON_MS,
    )


def _exit_order() -> OrderRecord:
    return replace(
        _entry_order(),
        state="working",
        client_order_id=EXIT,
        exchange_order_id="",
        leg="exit",
        side="sell",
        type="limit",
        price=LONG_PRICE,
    )


def _entry_fill() -> Fill:
    return Fill(
        "t1",
        ENTRY,
        "BTC/USDT",
        "buy",
        Decimal("0.0010"),
        LONG_PRICE,
        Decimal("0.063"),
        "USDT",
        NOON_MS + 1,
    )


def _positions() -> tuple[PositionRecord, PositionRecord]:
    bought = PositionRecord(
        "open",
        id=OPEN,
        symbol="BTC/USDT",
        strategy=STRATEGY,
        bought=Decimal("0.0010"),
        spent=Decimal("63.000123456789"),
        quantity=Decimal("0.0010"),
        created_at_ms=NOON_MS,
        opened_at_ms=NOON_MS + 1,
    )
    sold = replace(
        bought,
        state="closed",
        id=CLOSED,
        symbol="ETH/USDT",
        sold=Decimal("0.0010"),
        received=Decimal("64"),
        quantity=Decimal(0),
        realized_pnl=Decimal("0.90"),
        exit_reason="take_profit",
        closed_at_ms=NOON_MS + 60_000,
    )
    return bought, sold


def _progress() -> Progress:
    heartbeat = {
        "mode": "paper",
        "exchange": "paper",
        "pid": 1,
        "started_at_ms": NOON_MS,
        "at_ms": NOON_MS + 61_000,
        "ticks": 600,
        "ticks_per_s": 10.0,
        "tick_ms_p50": 0.02,
        "tick_ms_p99": float("nan"),
        "equity": Decimal("10000.90"),
        "balance": {"USDT": {"free": Decimal("1E+4"), "used": Decimal(0), "total": Decimal("1E+4")}},
    }
    return Progress(NOON_MS + 61_000, heartbeat, [("BTC/USDT", "63100.5", NOON_MS + 60_000, "")])


def write_books(path: Path) -> Path:
    """Makes the database at `path` and closes it."""
    batch = CommitBatch()
    for symbol in ("BTC/USDT", "ETH/USDT"):
        _born(batch, PairRecord("idle", symbol=symbol, strategy=STRATEGY), "configured", NOON_MS, "idle")
    _born(batch, PermissionRecord("active", scope="engine"), "configured", NOON_MS, "active")
    for position in _positions():
        _born(batch, position, "entry_ended", NOON_MS + 1, "ordering")
    entry, fill = _entry_order(), _entry_fill()
    book_on_order(entry, [fill])
    batch.fills.append(fill)
    for order in (entry, _exit_order()):
        _born(batch, order, "order_accepted", NOON_MS + 2, "submitting")
    batch.outbox.append(OutboxRow("1", "send_order", EXIT, "BTC/USDT", NOON_MS))
    batch.journal.append(refusal(NOON_MS + 60_000))
    with SqliteStore.open(path, tag=TAG) as store:
        store.commit(batch)
        store.save_progress(_progress())
    return path
