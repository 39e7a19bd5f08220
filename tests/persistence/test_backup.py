"""Backups and their way back, by the file: what is refused, what is kept, and that nothing is half done."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from fsm.commit import StoreError
from persistence import journal_queries, queries
from persistence.backup import back_up
from persistence.lock import DatabaseLock
from persistence.restoring import REASON, restore
from persistence.store import SqliteStore
from persistence.verification import verify
from services.deals.order_ids import order_id, under_tag
from tests.command_line.books import TAG, write_books

NOW_MS = 1_767_300_000_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_books(tmp_path / "books.sqlite")


@pytest.fixture
def backup(database: Path, tmp_path: Path) -> Path:
    return back_up(database, tmp_path / "backup.sqlite", NOW_MS).path


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@contextmanager
def altered(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_a_backup_is_the_books_of_one_moment_in_one_file(database: Path, tmp_path: Path) -> None:
    with SqliteStore.open(database) as store:
        store.load()
        made = back_up(database, tmp_path / "backup.sqlite", NOW_MS)
    assert made.report == verify(database)
    assert made.report.entries > 0
    assert queries.positions(made.path) == queries.positions(database)
    assert queries.fills(made.path) == queries.fills(database)
    assert {name for name in names_in(tmp_path) if name.startswith("backup")} == {"backup.sqlite"}
    assert made.path.stat().st_mode & 0o777 == 0o600


def test_a_backup_is_never_overwritten(backup: Path, database: Path) -> None:
    content = backup.read_bytes()
    with pytest.raises(StoreError, match="never overwritten"):
        back_up(database, backup, NOW_MS)
    assert backup.read_bytes() == content


def test_a_damaged_database_gives_no_backup(database: Path, tmp_path: Path) -> None:
    with altered(database) as connection:
        connection.execute("UPDATE positions SET quantity = '999' WHERE rowid = 1")
    before = names_in(tmp_path)
    with pytest.raises(StoreError, match="not whole: position"):
        back_up(database, tmp_path / "backup.sqlite", NOW_MS)
    assert {name for name in names_in(tmp_path) - before if not name.endswith(("-shm", "-wal"))} == set()


def test_a_backup_is_not_traded_on(backup: Path) -> None:
    with pytest.raises(StoreError, match=r"it is a backup; put it in its place with `dirigent restore"):
        SqliteStore.open(backup)


def test_a_restored_database_is_whole_halted_and_has_a_tag_of_its_own(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "anew.sqlite"
    done = restore(backup, target, NOW_MS + 5, replace=False)
    assert (done.former_tag, done.kept, done.made_at_ms) == (TAG, None, NOW_MS)
    assert done.tag != TAG
    assert verify(target).is_whole
    entry = journal_queries.entries(target, "engine")[-1]
    assert (entry["event"], entry["target"], entry["at"]) == ("backup_restored", "halted", NOW_MS + 5)
    assert f"tag {TAG} gives way to {done.tag}" in entry["note"]
    status = queries.status(target)
    assert (status["permission"], status["permission_reason"]) == ("halted", REASON)
    with SqliteStore.open(target) as store:
        state = store.load()
    assert state.tag == done.tag
    assert state.facts["former_tags"] == TAG


def test_numbers_go_on_across_lives_so_that_no_two_positions_share_one(backup: Path, tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "books.sqlite") as store:
        last = store.load().last_position_number
    target = tmp_path / "anew.sqlite"
    restore(backup, target, NOW_MS, replace=False)
    back_up(target, tmp_path / "second.sqlite", NOW_MS)
    done = restore(tmp_path / "second.sqlite", target, NOW_MS, replace=True)
    with SqliteStore.open(target) as store:
        state = store.load()
    assert state.last_position_number >= last
    assert state.facts["former_tags"].split() == [TAG, done.former_tag]
    assert len({TAG, done.former_tag, done.tag}) == 3


def test_an_order_of_a_former_life_s_position_bears_the_present_tag() -> None:
    assert order_id(under_tag("abcde00000c", "fghij"), "exit", 2) == "fghij00000cx0002"
    assert under_tag("fghij00000c", "fghij") == "fghij00000c"


def test_what_stood_there_is_kept_with_its_log(backup: Path, database: Path) -> None:
    with pytest.raises(StoreError, match="give --yes"):
        restore(backup, database, NOW_MS, replace=False)
    log = database.with_name(database.name + "-wal")
    log.write_bytes(b"what an engine left")
    main = database.read_bytes()
    done = restore(backup, database, NOW_MS, replace=True)
    assert done.kept is not None
    assert done.kept.read_bytes() == main
    assert done.kept.with_name(done.kept.name + "-wal").read_bytes() == b"what an engine left"
    assert verify(database).is_whole


@pytest.mark.parametrize("moves", range(6))
def test_a_restore_that_dies_leaves_the_place_filled(
    backup: Path, database: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """A place without a main file would be taken for a new one: the next start would begin there with nothing."""
    database.with_name(database.name + "-wal").write_bytes(b"what an engine left")
    left = moves

    def dying(move: Callable[..., None]) -> Callable[..., None]:
        def moved(*paths: object) -> None:
            nonlocal left
            if not left:
                raise OSError(5, "it died")
            left -= 1
            move(*paths)

        return moved

    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    with suppress(StoreError):
        restore(backup, database, NOW_MS, replace=True)
    assert database.exists()


def test_a_database_beyond_reading_gives_way_to_a_backup(backup: Path, database: Path) -> None:
    database.write_bytes(b"\0" * 5000)
    done = restore(backup, database, NOW_MS, replace=True)
    assert done.kept is not None
    assert verify(database).is_whole


def test_a_restore_is_refused_while_an_engine_runs(backup: Path, database: Path) -> None:
    lock = DatabaseLock.acquire(database)
    try:
        with pytest.raises(StoreError, match="is using it"):
            restore(backup, database, NOW_MS, replace=True)
    finally:
        lock.release()


def test_a_backup_that_was_altered_changes_nothing(backup: Path, database: Path, tmp_path: Path) -> None:
    with altered(backup) as connection:
        connection.execute("UPDATE orders SET filled = '7' WHERE rowid = 1")
    main, before = database.read_bytes(), names_in(tmp_path)
    with pytest.raises(StoreError, match="not whole"):
        restore(backup, database, NOW_MS, replace=True)
    assert database.read_bytes() == main
    assert names_in(tmp_path) == before


def test_a_backup_of_another_exchange_is_refused(database: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    SqliteStore.open(other, exchange="kraken").close()
    back_up(other, tmp_path / "kraken.sqlite", NOW_MS)
    with pytest.raises(StoreError, match="paper trading on kraken"):
        restore(tmp_path / "kraken.sqlite", database, NOW_MS, replace=True)


@pytest.mark.parametrize("what", ["missing", "itself", "text"])
def test_what_is_no_backup_is_refused(database: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "text").write_text("not a database")
    named = {"missing": tmp_path / "none", "itself": database, "text": tmp_path / "text"}[what]
    with pytest.raises(StoreError):
        restore(named, database, NOW_MS, replace=True)
    assert verify(database).is_whole


def test_a_plain_copy_of_a_closed_database_can_be_put_back_too(database: Path, tmp_path: Path) -> None:
    SqliteStore.open(database).close()
    copy = tmp_path / "copy.sqlite"
    shutil.copy(database, copy)
    done = restore(copy, database, NOW_MS, replace=True)
    assert done.made_at_ms is None
    assert done.tag != TAG


def test_what_a_killed_attempt_left_does_not_reach_the_next_draft(database: Path, tmp_path: Path) -> None:
    (tmp_path / "backup.sqlite.new").write_bytes(b"half")
    (tmp_path / "backup.sqlite.new-journal").write_bytes(b"\xd9\xd5\x05\xf9 a hot journal")
    made = back_up(database, tmp_path / "backup.sqlite", NOW_MS)
    assert made.report.is_whole
    assert not list(tmp_path.glob("backup.sqlite.new*"))
