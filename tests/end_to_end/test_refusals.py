"""What the daemon does not start with: a clear message, exit code 2, and nothing changed."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Daemon, Place
from tests.end_to_end.mounts import OWN_MOUNTS, READ_ONLY, mounts_are_allowed

LIVE = 'mode = "live"\n[exchange]\nid = "binance"\n[[pairs]]\nsymbol = "BTC/USDT"\n'


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a daemon has traded and stopped."""
    place = Place.make(tmp_path_factory.mktemp("traded"), restless(Market()))
    with Daemon(place, "--duration", "1") as daemon:
        assert daemon.wait() == 0, daemon.said
    return place.directory


@pytest.fixture
def place(traded: Path, tmp_path: Path) -> Place:
    shutil.copytree(traded, tmp_path / "copy")
    return Place(tmp_path / "copy")


@pytest.mark.parametrize(
    ("configuration", "flags", "message"),
    [
        (LIVE, (), "give --live too if real money is meant"),
        (LIVE, ("--live",), "live trading on binance needs keys, and none are named"),
        (LIVE.replace("binance", "binanc"), ("--live",), "no exchange 'binanc'; did you mean 'binance'?"),
        (restless(Market()), ("--live",), 'the configuration says mode = "paper"'),
    ],
)
def test_live_trading_is_refused(
    tmp_path: Path, configuration: str, flags: tuple[str, ...], message: str
) -> None:
    place = Place.make(tmp_path, configuration)
    refused = place.run("trade", *flags)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert not place.database.exists()


def truncate(database: Path) -> None:
    content = database.read_bytes()
    database.write_bytes(content[: len(content) // 2])


def overwrite(database: Path) -> None:
    database.write_text("my diary\n" * 100)


def make_newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " SELECT migration_set, 'm0999_later', applied_at FROM _sqlite_migrations LIMIT 1"
        )
        connection.commit()


def replace_by_a_stranger(database: Path) -> None:
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


DAMAGES = [
    (truncate, "it is truncated to"),
    (overwrite, "it is not a database"),
    (make_newer, "newer version"),
    (replace_by_a_stranger, "it is a database, but none of Dirigent's"),
]


@pytest.mark.parametrize("command", ["trade", "status", "verify"])
@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_database_that_is_not_sound_is_refused_and_left_alone(
    place: Place, command: str, damage: Callable[[Path], None], message: str
) -> None:
    damage(place.database)
    before = place.database.read_bytes()
    refused = place.run(command)
    assert refused.returncode == 2
    assert "database engine.sqlite: " in refused.stderr
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert place.database.read_bytes() == before


@pytest.fixture
def locked(place: Place) -> Iterator[Place]:
    with closing(sqlite3.connect(place.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield place


def test_a_database_that_another_program_writes_is_refused(locked: Place) -> None:
    refused = locked.run("trade")
    assert refused.returncode == 2
    assert "database engine.sqlite: it is locked by another process" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_that_may_not_be_written_is_refused_and_can_be_read(place: Place) -> None:
    if not mounts_are_allowed(place.directory):
        pytest.skip("this user may not mount a directory read-only")
    before = (*OWN_MOUNTS, *READ_ONLY)
    refused = place.run("trade", before=before)
    assert refused.returncode == 2
    assert "database engine.sqlite: it cannot be written (Read-only file system)" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert place.run("status", before=before).returncode == 0
    assert place.run("verify", before=before).returncode == 0


def test_the_books_of_a_damaged_exchange_are_refused(place: Place) -> None:
    place.exchange_file.write_text("my diary\n" * 100)
    refused = place.run("trade")
    assert refused.returncode == 1
    assert place.exchange_file.name in refused.stderr
    assert "Traceback" not in refused.stderr
