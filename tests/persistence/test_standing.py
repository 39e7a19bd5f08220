"""The sums over all positions: read once, and still right after anything has changed."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.commit import CommitBatch, Totals
from fsm.records import PositionRecord
from persistence.standing import RunningTotals
from persistence.store import SqliteStore
from tests.command_line.books import NOON_MS, _born

STATES = ("open", "closing", "closed", "dust", "abandoned")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(STATES), st.integers(0, 50), st.integers(0, 9)),
        max_size=12,
    )
)
def test_running_totals_are_what_a_full_sum_is(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, str, int, int]]
) -> None:
    directory: Path = tmp_path_factory.mktemp("totals")
    known: dict[int, PositionRecord] = {}
    with SqliteStore.open(directory / "books.sqlite", tag="dtest") as store:
        for number, state, quantity, dust in changes:
            batch = CommitBatch()
            record = PositionRecord(
                state,
                id=f"dtest{number:06d}",
                symbol="ADA/USDT",
                quantity=Decimal(quantity),
                dust=Decimal(dust),
                received=Decimal(number),
            )
            before = known.get(number)
            _born(batch, record, "entry_ended", NOON_MS, "ordering")
            if before is not None:
                record.version = before.version + 1
                batch.records[record.machine, record.id] = (record, before.version)
                batch.journal[0].version = record.version
            store.commit(batch)
            known[number] = record
            assert store.totals() == _summed(known.values())
            assert store.totals() == store._read(RunningTotals().read)


def _summed(positions: Iterable[PositionRecord]) -> Totals:
    totals = Totals()
    for position in positions:
        symbol = position.symbol
        totals.holdings[symbol] = totals.holdings.get(symbol, Decimal(0)) + position.quantity + position.dust
        totals.money[symbol] = totals.money.get(symbol, Decimal(0)) + position.received
    return totals
