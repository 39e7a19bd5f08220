"""A file that is no sound database of ours is refused, untouched, with the fault and the remedy named."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fsm.commit import CommitBatch, StoreError
from persistence import files, journal_queries, queries
from persistence.fold import fold
from persistence.lock import lock_path
from persistence.store import SqliteStore
from persistence.verification import verify
from tests.persistence.deals import stored_deal

NOBODY = 65534


def refused(path: Path, match: str) -> None:
    """To open it is refused and changes no byte; the message names the file."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=match) as caught:
        SqliteStore.open(path)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_text_file_is_not_a_database(path: Path) -> None:
    path.write_text("mode = 'paper'\n")
    refused(path, "it is not a database; name another file")
    assert not lock_path(path).exists()


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    edit(path, "CREATE TABLE recipes (name TEXT)")
    refused(path, "none of Dirigent's")


@pytest.mark.parametrize("size", [0, 50, 4096, 20_000])
def test_a_truncated_database_is_refused(path: Path, size: int) -> None:
    stored_deal(path)
    os.truncate(path, size)
    refused(path, f"truncated to {size}")


def test_a_damaged_page_is_named_as_damage(path: Path) -> None:
    stored_deal(path)
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(content)
    with (
        pytest.raises(StoreError, match=r"it is damaged .* restore a backup"),
        SqliteStore.open(path) as store,
    ):
        store.load()


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "books.sqlite"
    refused(path, r"the directory .*nowhere does not exist; create it first")


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    path.mkdir()
    refused(path, "Is a directory")


def test_a_newer_migration_is_refused(path: Path) -> None:
    stored_deal(path)
    edit(
        path,
        "INSERT INTO _sqlite_migrations(migration_set, name, applied_at)"
        " VALUES ('dirigent', 'm0999_later', 'x')",
    )
    refused(path, r"a newer version of Dirigent wrote it \(it has migration m0999_later\)")


def test_a_newer_schema_is_refused_to_the_writer_and_kept_as_it_is(path: Path) -> None:
    stored_deal(path)
    edit(path, "PRAGMA user_version = 999")
    refused(path, "a newer version of Dirigent wrote it")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 999


def test_a_newer_schema_is_refused_to_readers_too(path: Path) -> None:
    stored_deal(path)
    edit(path, f"PRAGMA user_version = {files.SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="a newer version of Dirigent wrote it"):
        queries.positions(path)


def test_an_older_schema_is_refused_to_readers(path: Path) -> None:
    stored_deal(path)
    edit(path, f"PRAGMA user_version = {files.SCHEMA_VERSION - 1}")
    with pytest.raises(StoreError, match="start `dirigent trade` once to migrate it"):
        queries.positions(path)


def test_a_strange_column_is_refused(path: Path) -> None:
    stored_deal(path)
    edit(path, "ALTER TABLE orders ADD COLUMN mood TEXT")
    refused(path, "table orders has the unknown column 'mood'")


def test_paper_and_live_never_share_a_file(path: Path) -> None:
    stored_deal(path)
    with pytest.raises(StoreError, match="belongs to paper trading on paper, not to live trading on kraken"):
        SqliteStore.open(path, mode="live", exchange="kraken")
    with SqliteStore.open(path) as store:
        assert len(store.load().positions) == 1


def tables_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'"
        )
        return [name for (name,) in found]


def test_a_database_in_which_nothing_happened_belongs_to_whoever_opens_it_next(path: Path) -> None:
    with SqliteStore.open(path, mode="live", exchange="bitfinex") as store:
        first = store.load()
    assert not queries.has_past(path)
    with SqliteStore.open(path, mode="paper", exchange="kraken") as store:
        second = store.load()
    assert (second.tag, second.epoch) == (first.tag, 2)
    assert [queries.status(path)[name] for name in ("mode", "exchange")] == ["paper", "kraken"]


def test_one_row_in_any_table_is_a_past(tmp_path: Path) -> None:
    empty = tmp_path / "empty.sqlite"
    SqliteStore.open(empty).close()
    names = tables_of(empty)
    assert len(names) > 10
    for name in names:
        path = tmp_path / f"{name}.sqlite"
        path.write_bytes(empty.read_bytes())
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            kinds = [row[2] for row in connection.execute(f"PRAGMA table_info({name})")]
            values = [0 if kind in ("INTEGER", "REAL") else f"x{name}" for kind in kinds]
            connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(kinds))})", values)
        assert queries.has_past(path), name
        with pytest.raises(StoreError, match="belongs to paper trading on paper"):
            SqliteStore.open(path, mode="live", exchange="kraken")


def test_a_database_locked_by_another_program_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_TIMEOUT_S", 0.01)
    stored_deal(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another process"):
            SqliteStore.open(path)
    with SqliteStore.open(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another process"):
            store.commit(CommitBatch(facts={"a": "b"}))
        other.execute("ROLLBACK")
        store.commit(CommitBatch(facts={"a": "b"}))


def test_a_log_without_its_database_is_not_taken_for_a_new_one(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    log.write_bytes(b"frames")
    refused(path, "write-ahead log books.sqlite-wal is here")
    assert log.read_bytes() == b"frames"


def test_a_half_made_database_of_a_crash_is_begun_anew(path: Path) -> None:
    path.with_name(path.name + ".new").write_bytes(b"half")
    with SqliteStore.open(path) as store:
        assert store.load().positions == []
    assert sorted(file.name for file in path.parent.iterdir()) == ["books.sqlite", "books.sqlite.lock"]


@contextmanager
def without_rights() -> Iterator[None]:
    """As root no file is read-only, so a test that needs one gives its rights up for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def opened_up(directory: Path) -> Iterator[None]:
    """The test directories are private: others may not even pass through them."""
    changed = []
    for parent in [directory, *directory.parents]:
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.stat().st_uid == os.geteuid():
            changed.append((parent, mode))
            parent.chmod(mode | 0o055)
    try:
        yield
    finally:
        for parent, mode in changed:
            parent.chmod(mode)


def test_a_read_only_file_is_refused_to_the_writer(path: Path) -> None:
    stored_deal(path)
    path.chmod(0o444)
    with opened_up(path.parent), without_rights():
        refused(path, r"cannot be written \(Permission denied\); give this user the right")


def test_a_directory_without_rights_is_refused_to_the_writer(path: Path) -> None:
    path.parent.chmod(0o555)
    with opened_up(path.parent), without_rights():
        refused(path, "lock file .* cannot be written")


def test_a_read_only_directory_can_be_read(path: Path) -> None:
    stored_deal(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    with opened_up(path.parent), without_rights():
        assert len(queries.positions(path)) == 1
        assert verify(path).is_whole
    path.parent.chmod(0o755)


READERS: list[Callable[[Path], object]] = [
    queries.pairs,
    queries.positions,
    queries.orders,
    queries.fills,
    journal_queries.entries,
    journal_queries.walk_entries,
    queries.status,
    queries.balance,
    queries.state_counts,
    verify,
    fold,
]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_a_reader_without_a_database_says_how_to_begin_and_makes_none(
    path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(StoreError, match=r"no database at .*books\.sqlite; start `dirigent trade` first"):
        read(path)
    assert list(path.parent.iterdir()) == []
