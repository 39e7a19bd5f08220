"""A database whose engine did not close it is refused without its write-ahead log, and opens with it."""

import shutil
from pathlib import Path

import pytest

from fsm.commit import StoreError
from persistence import queries
from persistence.store import SqliteStore
from tests.persistence.deals import History, one_deal


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def copy_of_open(path: Path, copy: Path, *, with_log: bool) -> None:
    """What a copy catches while the engine has the database open, or after it was killed."""
    with SqliteStore.open(path) as store:
        history = History()
        one_deal(history)
        store.commit(history.take())
        shutil.copyfile(path, copy)
        if with_log:
            shutil.copyfile(log_of(path), log_of(copy))


def test_a_copy_with_its_log_opens_whole(tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    copy_of_open(tmp_path / "books.sqlite", copy, with_log=True)
    with SqliteStore.open(copy) as store:
        assert len(store.load().orders) == 1


@pytest.mark.parametrize("was_read", [False, True], ids=["untouched", "read before"])
def test_a_copy_without_its_log_is_refused_and_left_alone(tmp_path: Path, was_read: bool) -> None:
    copy = tmp_path / "copy.sqlite"
    copy_of_open(tmp_path / "books.sqlite", copy, with_log=False)
    if was_read:
        assert queries.orders(copy) == []
    before = copy.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"its write-ahead log .* is not here"):
            SqliteStore.open(copy)
    assert copy.read_bytes() == before


def test_a_closed_database_is_whole_in_its_main_file(tmp_path: Path) -> None:
    path, copy = tmp_path / "books.sqlite", tmp_path / "copy.sqlite"
    copy_of_open(path, tmp_path / "other.sqlite", with_log=False)
    assert not log_of(path).exists()
    shutil.copyfile(path, copy)
    with SqliteStore.open(copy) as store:
        assert len(store.load().orders) == 1


def test_a_close_that_cannot_write_leaves_the_log(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    store = SqliteStore.open(path)
    history = History()
    one_deal(history)
    store.commit(history.take())
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        store.close()
    assert log_of(path).stat().st_size > 0
    with SqliteStore.open(path) as again:
        assert len(again.load().orders) == 1
