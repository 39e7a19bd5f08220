"""The file of commands: durable, in order, read without waiting, and never a reason to touch the database."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from fsm.commit import StoreError
from persistence import commands
from persistence.commands import Inbox, inbox_path
from persistence.store import SqliteStore
from tests.command_line.running import ROOT
from tests.steering.cockpit import START_MS, give

_DAY_MS = 86_400_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "engine.sqlite"
    SqliteStore.open(path).close()
    return path


def kinds(inbox: Inbox) -> list[str]:
    return [command.kind for command in inbox.read()]


def test_each_read_brings_what_is_new(database: Path) -> None:
    with closing(Inbox(inbox_path(database))) as inbox:
        assert kinds(inbox) == []
        give(database, "halt", symbol="BTC/USDT")
        give(database, "resume")
        assert kinds(inbox) == ["halt", "resume"]
        assert kinds(inbox) == []
        give(database, "halt")
        assert kinds(inbox) == ["halt"]
    with closing(Inbox(inbox_path(database))) as inbox:
        first = inbox.read()[0]
    assert (first.arguments, first.person, first.given_at_ms) == ({"symbol": "BTC/USDT"}, "Ada", START_MS)


def test_giving_leaves_the_database_as_it_is(database: Path) -> None:
    before = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    give(database, "halt")
    after = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    assert {name: after[name] for name in before} == before
    assert after["engine.commands.sqlite"]
    assert after.get("engine.sqlite-wal", b"") == b"", (
        "the log of a database that nobody has open has no content"
    )


def test_without_a_database_nothing_is_given_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database at"):
        give(tmp_path / "engine.sqlite", "halt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_something_else_is_left_alone(database: Path) -> None:
    path = inbox_path(database)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (id)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not Dirigent's file of commands"):
        give(database, "halt")
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all" * 100)
    with closing(Inbox(path)) as inbox, pytest.raises(StoreError, match="not a database"):
        inbox.read()


def test_an_empty_file_that_a_death_left_is_used(database: Path) -> None:
    inbox_path(database).touch()
    with closing(Inbox(inbox_path(database))) as inbox:
        assert kinds(inbox) == []
        give(database, "halt")
        assert kinds(inbox) == ["halt"]


def test_a_file_that_was_replaced_is_read_from_its_beginning(database: Path) -> None:
    path = inbox_path(database)
    with closing(Inbox(path)) as inbox:
        give(database, "halt")
        assert kinds(inbox) == ["halt"]
        for leftover in path.parent.glob(path.name + "*"):
            leftover.unlink()
        assert kinds(inbox) == []
        give(database, "resume")
        assert kinds(inbox) == ["resume"]


def test_reading_waits_for_nobody(database: Path) -> None:
    give(database, "halt")
    path = inbox_path(database)
    with closing(Inbox(path)) as inbox, closing(sqlite3.connect(path, isolation_level=None)) as slow:
        slow.execute("BEGIN EXCLUSIVE")
        slow.execute("DELETE FROM inbox")
        started_s = time.monotonic()
        assert kinds(inbox) == ["halt"], "a writer in the middle is not seen"
        assert time.monotonic() - started_s < 0.1
        slow.execute("ROLLBACK")


def test_many_who_give_at_once_lose_nothing(database: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from persistence import commands\n"
        "for number in range(10): commands.give(Path(sys.argv[1]), 'halt', {'n': number}, sys.argv[2])"
    )
    givers = [
        subprocess.Popen([sys.executable, "-c", script, str(database), name], env={"PYTHONPATH": str(ROOT)})
        for name in ("Ada", "Bob", "Cyd")
    ]
    assert [giver.wait(60) for giver in givers] == [0, 0, 0]
    given = commands.waiting(database)
    assert len({command.id for command in given}) == 30
    for name in ("Ada", "Bob", "Cyd"):
        mine = [command.arguments["n"] for command in given if command.person == name]
        assert mine == list(range(10)), "one giver's commands keep their order"


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_who_gives_first_waits_for_another_who_does(database: Path, lock: str) -> None:
    with closing(
        sqlite3.connect(inbox_path(database), isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute(f"BEGIN {lock}")
        release = threading.Timer(0.3, other.execute, ("ROLLBACK",))
        release.start()
        given = give(database, "halt")
        release.join()
    assert [command.id for command in commands.waiting(database)] == [given.id]


def test_what_was_answered_long_ago_is_forgotten_and_what_waits_is_not(database: Path) -> None:
    answered, waits = give(database, "halt"), give(database, "resume")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO commands VALUES (?, 'halt', '{}', 'Ada', 0, 0, 'done', '')", (answered.id,)
        )
    last = give(database, "halt", START_MS + 30 * _DAY_MS)
    with closing(Inbox(inbox_path(database))) as inbox:
        assert [command.id for command in inbox.read()] == [waits.id, last.id]
