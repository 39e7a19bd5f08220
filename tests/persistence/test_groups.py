"""A group of commits: seen before it is written, and the same books as one commit after the other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm.commit import CommitBatch, OfferedSignal, OutboxRow, StoreConflict, StoreError, UnknownSubject
from fsm.records import OrderRecord, PositionRecord
from persistence.store import Durability, SqliteStore
from persistence.subjects import SUBJECT_TABLES
from persistence.verification import verify
from tests.persistence.deals import (
    SYMBOL,
    History,
    fill_of,
    one_deal,
    order,
    pair,
    position,
    send,
    stored_deal,
)

SIGNAL = OfferedSignal("s1", SYMBOL, "buy", "taken", 7)

pytestmark = pytest.mark.usefixtures("groups_do_not_age")


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(path, durability="grouped") as opened:
        yield opened


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_archive_knows_what_is_not_written_yet(path: Path, store: SqliteStore) -> None:
    history = History()
    deal, entry = one_deal(history)
    store.commit(history.take())
    entry = history.filled(entry, fill_of(entry))
    history.batch.signals.append(SIGNAL)
    store.commit(history.take())
    assert rows(path, "SELECT 1 FROM journal") == []
    for _ in ("waiting", "written"):
        assert store.find_position(deal.id) == deal
        assert store.find_order(entry.client_order_id) == entry
        assert store.has_fill(SYMBOL, "f1")
        assert store.signal_was_offered("s1")
        assert not store.has_fill("ETH/USDT", "f1")
        assert store.find_order("nobody") is None
        store.flush()
    assert rows(path, "SELECT count(*) FROM journal") == [(4,)]


def test_a_record_that_was_found_may_be_changed_without_harm(store: SqliteStore) -> None:
    history = History()
    deal, _ = one_deal(history)
    store.commit(history.take())
    found = store.find_position(deal.id)
    assert found is not None
    found.state = "spoilt"
    assert store.find_position(deal.id) == deal


def test_a_subject_that_moves_often_in_a_group_is_written_once(path: Path, store: SqliteStore) -> None:
    history = History()
    record = history.born(pair())
    store.commit(history.take())
    store.flush()
    before = store._connection.total_changes
    for _ in range(10):
        record = history.moved(record, "signalled" if record.state == "idle" else "idle")
        store.commit(history.take())
    store.flush()
    assert store._connection.total_changes - before == 10 + 1
    assert rows(path, "SELECT version FROM pairs") == [(11,)]
    assert verify(path).is_whole


def test_a_request_that_is_done_in_its_group_is_stored_as_done(path: Path, store: SqliteStore) -> None:
    history = History()
    _, entry = one_deal(history)
    store.commit(history.take())
    history.moved(entry, "working")
    history.batch.outbox_done.append(send(entry).id)
    store.commit(history.take())
    store.commit(CommitBatch(outbox_done=[send(entry).id]))
    assert store.load().pending_outbox == []
    assert rows(path, "SELECT done_at_ms FROM outbox") == [(history.at_ms,)]


@pytest.mark.parametrize("is_written", [False, True], ids=["waiting", "written"])
def test_a_version_that_moved_on_fails_its_own_batch_and_not_the_group(
    path: Path, store: SqliteStore, is_written: bool
) -> None:
    history = History()
    deal, entry = one_deal(history)
    store.commit(history.take())
    history.moved(entry, "working")
    store.commit(history.take())
    if is_written:
        store.flush()
    history.moved(deal, "open")
    history.moved(entry, "cancelled")
    with pytest.raises(StoreConflict, match="order ap1e1 is no longer at version 1"):
        store.commit(history.take())
    assert store.find_position(deal.id) == deal
    history.moved(deal, "open")
    store.commit(history.take())
    store.close()
    assert verify(path).is_whole
    states = rows(path, "SELECT state FROM positions UNION ALL SELECT state FROM orders")
    assert states == [("open",), ("working",)]


def bad_batches() -> dict[str, tuple[CommitBatch, type[Exception], str]]:
    born, priced = History(), History()
    born.born(position())
    costly = position(2)
    costly.spent = 0.1  # type: ignore[assignment]
    priced.born(costly)
    _, entry = one_deal(History())
    fill = fill_of(entry)
    done = CommitBatch(outbox_done=["send-nothing"])
    return {
        "born twice": (born.take(), StoreConflict, "position p1 cannot be stored as new"),
        "float": (priced.take(), TypeError, "money must be a Decimal"),
        "fill again": (CommitBatch(fills=[fill]), StoreConflict, "fill f1 of order ap1e1 is stored already"),
        "fill twice": (CommitBatch(fills=[fill, fill]), StoreConflict, "fill f1 of BTC/USDT comes twice"),
        "sent again": (CommitBatch(outbox=[send(entry)]), StoreConflict, "send-ap1e1 is stored already"),
        "sent twice": (CommitBatch(outbox=[send(entry)] * 2), StoreConflict, "send-ap1e1 comes twice"),
        "never sent": (done, UnknownSubject, "send-nothing is not stored"),
    }


@pytest.mark.parametrize("name", bad_batches())
def test_a_batch_that_does_not_fit_is_refused_at_once_and_the_group_goes_on(
    path: Path, store: SqliteStore, name: str
) -> None:
    batch, error, words = bad_batches()[name]
    history = History()
    _, entry = one_deal(history)
    history.filled(entry, fill_of(entry))
    store.commit(history.take())
    with pytest.raises(error, match=words):
        store.commit(batch)
    store.commit(CommitBatch(facts={"still": "works"}))
    store.close()
    report = verify(path)
    assert (report.entries, report.fills, report.difference) == (4, 1, None)
    assert rows(path, "SELECT name FROM facts") == [("still",)]


def test_a_subject_that_is_stored_already_fails_the_group_that_bears_it_again(path: Path) -> None:
    stored_deal(path)
    history = History()
    history.born(pair("ETH/USDT"))
    history.born(position(2))
    history.born(position(1))
    store = SqliteStore.open(path, durability="grouped")
    store.commit(history.take())
    with pytest.raises(StoreConflict, match="position p1 cannot be stored as new"):
        store.flush()
    with pytest.raises(StoreError, match="was taken back"):
        store.load()
    store.close()
    assert verify(path).entries == 3


def test_one_group_of_thousands_of_entries_leaves_each_checkpoint(path: Path, store: SqliteStore) -> None:
    history = History()
    record = history.born(pair())
    for _ in range(2_500):
        record = history.moved(record, "signalled" if record.state == "idle" else "idle")
    store.commit(history.take())
    store.close()
    assert rows(path, "SELECT seq FROM checkpoints") == [(1_000,), (2_000,), (2_501,)]
    assert verify(path).is_whole


class Story:
    """The same lawful commits for every store, from chosen steps."""

    def __init__(self) -> None:
        self.history = History()
        self.deals: list[tuple[PositionRecord, OrderRecord]] = []

    def batch(self, step: str, number: int) -> CommitBatch:
        history = self.history
        if step == "bear" or not self.deals:
            deal = history.born(position(len(self.deals) + 1))
            entry = history.born(order(deal))
            history.batch.outbox.append(send(entry))
            history.batch.signals.append(OfferedSignal(f"s{number}", SYMBOL, "buy", deal.id, history.at_ms))
            self.deals.append((deal, entry))
            return history.take()
        chosen = number % len(self.deals)
        deal, entry = self.deals[chosen]
        if step == "move":
            deal = history.moved(deal, "open", bought=Decimal(number))
            history.batch.facts[f"fact {number % 3}"] = deal.id
        elif step == "fill":
            fill = fill_of(entry, 100 * chosen + entry.version, amount=str(number + 1))
            entry = history.filled(entry, fill, state="partially_filled")
        else:
            entry = history.moved(entry, "working", sent_at_ms=number)
        if step == "done":
            history.batch.outbox_done.append(send(entry).id)
        elif step == "cancel":
            name = f"cancel{chosen}-{entry.version}"
            history.batch.outbox.append(OutboxRow(name, "send_cancel", entry.client_order_id, SYMBOL, number))
        self.deals[chosen] = (deal, entry)
        return history.take()


KINDS = st.sampled_from(["bear", "move", "fill", "done", "cancel"])
STEPS = st.lists(st.tuples(KINDS, st.integers(0, 9)), max_size=30)
TABLES = ["journal", "checkpoints", "fills", "outbox", "signals", "facts"]
TABLES += [table.name for table in SUBJECT_TABLES.values()]
DURABILITIES: tuple[Durability, ...] = ("each", "grouped")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, flushes=st.sets(st.integers(0, 29), max_size=5))
def test_groups_leave_the_same_books_as_one_commit_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], flushes: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    books = []
    for durability in DURABILITIES:
        path, story = folder / f"{durability}.sqlite", Story()
        with SqliteStore.open(path, durability=durability) as store:
            for number, step in enumerate(steps):
                store.commit(story.batch(*step))
                if number in flushes:
                    store.flush()
        assert verify(path).is_whole
        books.append({name: rows(path, f"SELECT * FROM {name}") for name in TABLES})
    assert books[0] == books[1]
