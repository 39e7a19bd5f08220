"""When a commit is on disk, what a group of commits is, and what a full disk takes back."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fsm.commit import CommitBatch, OutboxRow, Progress, StoreConflict, StoreError
from persistence import queries
from persistence.pending import GROUP_COMMITS_MAX
from persistence.store import SqliteStore
from persistence.verification import verify
from tests.persistence.deals import SYMBOL, History, fill_of, one_deal, order, pair, permission, position

NORMAL, FULL = 1, 2

pytestmark = pytest.mark.usefixtures("groups_do_not_age")


def pragma(store: SqliteStore, name: str) -> int:
    value: int = store._connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def test_a_commit_with_an_outbox_row_is_on_disk_and_any_other_need_not_be(path: Path) -> None:
    history = History()
    _, entry = one_deal(history)
    with SqliteStore.open(path) as store:
        for number in range(3):
            store.commit(CommitBatch(facts={"number": str(number)}))
            assert pragma(store, "synchronous") == NORMAL
            if number == 0:
                store.commit(history.take())
            else:
                row = OutboxRow(f"cancel{number}", "send_cancel", entry.client_order_id, SYMBOL, number)
                store.commit(CommitBatch(outbox=[row]))
            assert pragma(store, "synchronous") == FULL


def test_a_group_is_on_disk_once_it_is_full_flushed_or_closed(path: Path) -> None:
    with SqliteStore.open(path, durability="grouped") as store:
        for number in range(GROUP_COMMITS_MAX + 1):
            commit_number(store, number)
        assert number_on_disk(path) == GROUP_COMMITS_MAX - 1
        assert pragma(store, "synchronous") == FULL
        store.flush()
        assert number_on_disk(path) == GROUP_COMMITS_MAX
        commit_number(store, 1_000)
    assert number_on_disk(path) == 1_000


def test_a_group_that_is_old_is_on_disk_with_its_next_commit(path: Path) -> None:
    with SqliteStore.open(path, durability="grouped") as store:
        commit_number(store, 1)
        store.flush()
        commit_number(store, 2)
        assert number_on_disk(path) == 1
        store._pending._closes_at_s = 0
        commit_number(store, 3)
        assert number_on_disk(path) == 3


def test_a_group_is_on_disk_before_progress_is_saved(path: Path) -> None:
    with SqliteStore.open(path, durability="grouped") as store:
        commit_number(store, 1)
        store.save_progress(Progress(1, {"ticks": 1}))
        assert number_on_disk(path) == 1


def commit_number(store: SqliteStore, number: int) -> None:
    store.commit(CommitBatch(facts={"number": str(number)}))


def number_on_disk(path: Path) -> int:
    with closing(sqlite3.connect(path)) as other:
        return int(other.execute("SELECT value FROM facts WHERE name = 'number'").fetchone()[0])


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
    for _ in range(GROUP_COMMITS_MAX):
        history.refused(second, "buy_signalled", "x" * 1_000)
    store.commit(history.take())
    with pytest.raises(StoreError, match="the disk is full"):
        store.flush()
    refuses_further_work(store)
    assert verify(path).is_whole
    with SqliteStore.open(path) as again:
        assert again.load().pairs == [first]


def refuses_further_work(store: SqliteStore) -> None:
    words = "a group of commits could not be written and was taken back"
    with pytest.raises(StoreError, match=words):
        commit_number(store, 1)
    with pytest.raises(StoreError, match=words):
        store.flush()
    with pytest.raises(StoreError, match=words):
        store.save_progress(Progress(1))
    store.close()


def test_a_group_that_cannot_be_written_is_taken_back_whole_and_stops_the_store(path: Path) -> None:
    history = History()
    store = SqliteStore.open(path, durability="grouped")
    history.born(pair())
    store.commit(history.take())
    store.flush()
    history.born(permission("engine"))
    store.commit(history.take())
    store.commit(CommitBatch(fills=[fill_of(order(position(9)))]))
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.flush()
    refuses_further_work(store)
    report = verify(path)
    assert (report.entries, report.difference) == (1, None)


def test_a_group_is_not_written_by_a_store_that_was_taken_over(path: Path) -> None:
    store = SqliteStore.open(path, durability="grouped")
    commit_number(store, 1)
    store.flush()
    commit_number(store, 2)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE engine SET value = '99' WHERE name = 'epoch'")
    with pytest.raises(StoreConflict, match="another engine took it over"):
        store.flush()
    refuses_further_work(store)
    assert number_on_disk(path) == 1


def test_a_row_changed_past_the_store_fails_the_group_that_would_replace_it(path: Path) -> None:
    history = History()
    first, second = history.born(pair()), history.born(pair("ETH/USDT"))
    store = SqliteStore.open(path, durability="grouped")
    store.commit(history.take())
    store.flush()
    history.moved(first, "signalled")
    history.moved(second, "signalled")
    store.commit(history.take())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE pairs SET version = 2 WHERE symbol = 'ETH/USDT'")
    with pytest.raises(StoreConflict, match="pair ETH/USDT is no longer at version 1"):
        store.flush()
    refuses_further_work(store)
    with closing(sqlite3.connect(path)) as other:
        assert dict(other.execute("SELECT symbol, state FROM pairs")) == {SYMBOL: "idle", "ETH/USDT": "idle"}


@pytest.mark.parametrize("commits", [GROUP_COMMITS_MAX - 1, GROUP_COMMITS_MAX + 9, 3 * GROUP_COMMITS_MAX])
def test_a_process_killed_within_a_group_leaves_whole_groups_before_it(path: Path, commits: int) -> None:
    command = [sys.executable, "-m", "tests.persistence.crashing", str(path), str(commits)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    report = verify(path)
    assert report.is_whole
    assert commits - GROUP_COMMITS_MAX < report.entries <= commits
    with SqliteStore.open(path) as store:
        state = store.load()
    assert sum(record.version for record in state.pairs) == report.entries
    assert state.facts.get("number", "0") == str(report.entries)
