"""When a commit is on disk, what a group of commits is, and what a full disk takes back."""

import sqlite3
from pathlib import Path

import pytest

from fsm.commit import CommitBatch, OutboxRow, StoreError
from persistence import queries
from persistence.store import SqliteStore
from persistence.transactions import GROUP_COMMITS_MAX
from persistence.verification import verify
from tests.persistence.deals import SYMBOL, History, fill_of, one_deal, order, pair, permission, position


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.sqlite"


def pragma(store: SqliteStore, name: str) -> int:
    value: int = store._connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def test_a_commit_with_an_outbox_row_is_on_disk_and_any_other_need_not_be(path: Path) -> None:
    normal, full = 1, 2
    history = History()
    _, entry = one_deal(history)
    with SqliteStore.open(path) as store:
        for number in range(3):
            store.commit(CommitBatch(facts={"number": str(number)}))
            assert pragma(store, "synchronous") == normal
            if number == 0:
                store.commit(history.take())
            else:
                row = OutboxRow(f"cancel{number}", "send_cancel", entry.client_order_id, SYMBOL, number)
                store.commit(CommitBatch(outbox=[row]))
            assert pragma(store, "synchronous") == full


def test_a_group_is_on_disk_once_it_is_full_flushed_or_closed(path: Path) -> None:
    with SqliteStore.open(path, durability="grouped") as store:
        store._transactions._closes_at_s = 1e18  # type: ignore[attr-defined]
        for number in range(GROUP_COMMITS_MAX + 1):
            store.commit(CommitBatch(facts={"number": str(number)}))
            store._transactions._closes_at_s = 1e18  # type: ignore[attr-defined]
        assert _fact_on_disk(path) == str(GROUP_COMMITS_MAX - 1)
        store.flush()
        assert _fact_on_disk(path) == str(GROUP_COMMITS_MAX)
        store.commit(CommitBatch(facts={"number": "last"}))
    assert _fact_on_disk(path) == "last"


def _fact_on_disk(path: Path) -> str:
    other = sqlite3.connect(path)
    value: str = other.execute("SELECT value FROM facts WHERE name = 'number'").fetchone()[0]
    other.close()
    return value


def test_a_full_disk_takes_back_the_commit_and_the_store_goes_on_once_there_is_room(path: Path) -> None:
    history = History()
    with SqliteStore.open(path) as store:
        first = history.born(pair())
        store.commit(history.take())
        store._connection.execute(f"PRAGMA max_page_count = {pragma(store, 'page_count')}")
        history.moved(first, "signalled", reason="x" * 100_000)
        with pytest.raises(StoreError, match=r"books\.sqlite: the disk is full .* free some space"):
            store.commit(history.take())
        store._connection.execute("PRAGMA max_page_count = 1000000")
        history.moved(first, "signalled", reason="short")
        store.commit(history.take())
    assert verify(path).is_whole
    assert queries.pairs(path)[0]["reason"] == "short"


def test_a_full_disk_takes_back_the_open_group_and_leaves_the_books_whole(path: Path) -> None:
    history = History()
    store = SqliteStore.open(path, durability="grouped")
    first = history.born(pair())
    store.commit(history.take())
    store.flush()
    second = history.moved(first, "signalled")
    store.commit(history.take())
    store._connection.execute(f"PRAGMA max_page_count = {pragma(store, 'page_count')}")
    history.moved(second, "idle", reason="x" * 100_000)
    with pytest.raises(StoreError, match="the disk is full"):
        store.commit(history.take())
    with pytest.raises(StoreError, match="a group of commits could not be written and was taken back"):
        store.commit(CommitBatch(facts={"a": "b"}))
    store.close()
    assert verify(path).is_whole
    with SqliteStore.open(path) as again:
        assert again.load().pairs == [first]


def test_a_group_that_cannot_be_written_is_taken_back_whole_and_stops_the_store(path: Path) -> None:
    history = History()
    store = SqliteStore.open(path, durability="grouped")
    history.born(pair())
    store.commit(history.take())
    store.flush()
    history.born(permission("engine"))
    store.commit(history.take())
    store._connection.execute("PRAGMA defer_foreign_keys = ON")
    store.commit(CommitBatch(fills=[fill_of(order(position(9)))]))
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.flush()
    with pytest.raises(StoreError, match="a group of commits could not be written and was taken back"):
        store.commit(CommitBatch(facts={"a": "b"}))
    store.close()
    report = verify(path)
    assert (report.entries, report.difference) == (1, None)
