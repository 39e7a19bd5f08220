"""Many live positions with their orders, written through the store as the engine would."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from fsm.commit import CommitBatch, JournalEntry
from fsm.order import ORDER, WORKING
from fsm.position import ORDERING, POSITION
from fsm.records import OrderRecord, PositionRecord, Record, changes_between
from fsm.table import Table
from persistence.store import SqliteStore
from services.deals.exit_levels import write_rules
from services.deals.order_ids import order_id, position_id
from services.messages import PairRules

BATCH = 500
STRATEGY = (
    '[{"name":"sma_cross","params":{"fast":5,"slow":20},"source":"0123456789abcdef","weight":1.0},'
    '{"name":"macd","params":{"fast":12,"signal":9,"slow":26},"source":"fedcba9876543210","weight":0.5}]'
)


def populate(store: SqliteStore, symbols: Sequence[str], count: int) -> None:
    tag = store.load().tag
    made = list(_subjects(tag, symbols, count))
    for first in range(0, len(made), BATCH):
        batch = CommitBatch()
        for position, order in made[first : first + BATCH]:
            for table, record in ((POSITION, position), (ORDER, order)):
                batch.records[record.machine, record.subject_id] = (record, 0)
                batch.journal.append(_birth(table, record))
        store.commit(batch)


def _subjects(tag: str, symbols: Sequence[str], count: int) -> Iterator[tuple[PositionRecord, OrderRecord]]:
    rules = write_rules(PairRules("", order_type="limit"))
    for number in range(1, count + 1):
        symbol = symbols[number % len(symbols)]
        identity = position_id(tag, number)
        entry = order_id(identity, "entry", 1)
        price = Decimal(100) + Decimal(number) / 100
        position = PositionRecord(
            state=ORDERING,
            version=1,
            id=identity,
            symbol=symbol,
            strategy=STRATEGY,
            rules=rules,
            signal_id=f"signal{number}",
            quota=Decimal(100),
            reference_price=price,
            entry_attempt=1,
            entry_order_id=entry,
            created_at_ms=number,
        )
        order = OrderRecord(
            state=WORKING,
            version=1,
            client_order_id=entry,
            exchange_order_id=f"x{number}",
            position_id=identity,
            symbol=symbol,
            leg="entry",
            side="buy",
            type="limit",
            attempt=1,
            amount=Decimal("0.9987"),
            price=price,
            created_at_ms=number,
        )
        yield position, order


def _birth(table: Table, record: Record) -> JournalEntry:
    return JournalEntry(
        at_ms=1,
        machine=record.machine,
        subject_id=record.subject_id,
        version=1,
        event="populated",
        source=table.initial,
        target=record.state,
        outcome="moved",
        verdicts=(),
        changes=changes_between(None, record),
        definition=table.hash,
    )
