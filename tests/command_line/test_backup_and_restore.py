"""The commands `backup` and `restore`: what they say, their exit codes, and what is refused."""

import json
from pathlib import Path

from persistence.store import SqliteStore
from persistence.verification import verify
from tests.command_line.running import document, invoke


def test_a_backup_says_what_it_holds_and_its_head(database: Path, tmp_path: Path) -> None:
    told = document("backup", tmp_path / "one.sqlite", "--json", "--db", database)
    report = verify(database)
    assert (told["entries"], told["fills"], told["head"]) == (report.entries, report.fills, report.head)
    assert told["bytes"] == (tmp_path / "one.sqlite").stat().st_size
    said = invoke("backup", tmp_path / "two.sqlite", "--db", database)
    assert said.exit_code == 0
    assert f"head {report.head}" in said.stdout


def test_a_second_backup_to_the_same_file_is_refused(database: Path, tmp_path: Path) -> None:
    assert invoke("backup", tmp_path / "one.sqlite", "--db", database).exit_code == 0
    again = invoke("backup", tmp_path / "one.sqlite", "--db", database)
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr


def test_a_backup_of_nothing_or_into_nowhere_is_refused(database: Path, tmp_path: Path) -> None:
    assert invoke("backup", tmp_path / "one.sqlite", "--db", tmp_path / "none").exit_code == 2
    assert invoke("backup", tmp_path / "no" / "one.sqlite", "--db", database).exit_code == 2


def test_a_restore_needs_yes_where_a_database_stands_and_says_what_to_do_next(
    database: Path, tmp_path: Path
) -> None:
    invoke("backup", tmp_path / "one.sqlite", "--db", database)
    refused = invoke("restore", tmp_path / "one.sqlite", "--db", database)
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    done = invoke("restore", tmp_path / "one.sqlite", "--yes", "--db", database)
    assert done.exit_code == 0, done.output
    assert "entries are halted" in done.stdout
    assert "dirigent reconcile --plan" in done.stdout
    status = json.loads(invoke("status", "--json", "--db", database).stdout)
    assert status["permission"] == "halted"


def test_a_restore_to_a_new_place_needs_no_yes(database: Path, tmp_path: Path) -> None:
    invoke("backup", tmp_path / "one.sqlite", "--db", database)
    told = document("restore", tmp_path / "one.sqlite", "--json", "--db", tmp_path / "anew.sqlite")
    assert told["kept"] is None
    with SqliteStore.open(tmp_path / "anew.sqlite") as store:
        assert store.load().tag == told["tag"] != told["former_tag"]


def test_a_running_engine_keeps_its_database(database: Path, tmp_path: Path) -> None:
    invoke("backup", tmp_path / "one.sqlite", "--db", database)
    with SqliteStore.open(database):
        refused = invoke("restore", tmp_path / "one.sqlite", "--yes", "--db", database)
    assert refused.exit_code == 2
    assert "is using it" in refused.stderr
