"""The journal as people read it: filtered, in words, and followed."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dirigent.output import rfc3339
from fsm.commit import CommitBatch
from persistence.store import SqliteStore
from tests.command_line.books import ENTRY, EXIT, NOON_MS, OPEN, refusal
from tests.command_line.running import COMMAND, ROOT, document, invoke


def test_the_journal_tells_guards_as_json(database: Path) -> None:
    rows = document("journal", "--json", "--db", database)
    assert [row["seq"] for row in rows] == list(range(1, 9))
    fields = (
        "seq",
        "at",
        "machine",
        "subject_id",
        "event",
        "source",
        "target",
        "guards",
        "definition",
        "hash",
    )
    assert all(field in row for row in rows for field in fields)
    assert rows[-1]["at"] == "2026-01-01T12:01:00.000Z"
    assert rows[-1]["guards"][1] == {
        "guard": "risk_allows_entry",
        "holds": False,
        "because": "max_open_deals 5/5",
    }
    assert rows[3]["changes"]["quantity"] == "0.0010"
    assert rows[3]["changes"]["opened_at"] == "2026-01-01T12:00:00.001Z"


def test_the_journal_tells_guards_in_words(database: Path) -> None:
    last = invoke("journal", "BTC/USDT", "--db", database).stdout.splitlines()[-1]
    assert "entry_considered" in last
    assert "signalled (refused)" in last
    assert last.endswith(
        "[price_is_fresh holds (0 ms old, limit 30000 ms); risk_allows_entry fails (max_open_deals 5/5)]"
    )


def test_the_journal_of_a_position_has_its_orders_too(database: Path) -> None:
    subjects = [row["subject_id"] for row in document("journal", OPEN, "--json", "--db", database)]
    assert subjects == [OPEN, ENTRY, EXIT]
    assert [row["subject_id"] for row in document("journal", EXIT, "--json", "--db", database)] == [EXIT]


def test_the_journal_begins_where_it_is_told(database: Path) -> None:
    for since in (rfc3339(NOON_MS + 60_000), "2026-01-01T14:01:00+02:00"):
        assert [row["seq"] for row in document("journal", "--since", since, "--json", "--db", database)] == [
            8
        ]
    assert document("journal", "--since", "2026-01-01T12:01:00.001Z", "--json", "--db", database) == []
    assert len(document("journal", "--since", "36500d", "--json", "--db", database)) == 8
    nothing = invoke("journal", "--since", "1s", "--db", database)
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "no entries\n")


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01T12:00:00", "10 minutes", "5w"])
def test_a_time_that_is_none_is_refused(database: Path, since: str) -> None:
    result = invoke("journal", "--since", since, "--db", database)
    assert result.exit_code == 2
    assert "write 2026" in result.stderr or "add Z" in result.stderr


def test_the_journal_of_an_unknown_subject_is_refused(database: Path) -> None:
    result = invoke("journal", "nobody", "--db", database)
    assert result.exit_code == 2
    assert "nothing is known of 'nobody'" in result.stderr


@pytest.fixture
def follower(database: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*COMMAND, "journal", "--follow", "--json", "--db", str(database)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_following_prints_one_object_a_line_as_entries_come_and_ends_with_ctrl_c(
    database: Path, follower: "subprocess.Popen[str]"
) -> None:
    assert follower.stdout is not None
    assert [json.loads(follower.stdout.readline())["seq"] for _ in range(8)] == list(range(1, 9))
    with SqliteStore.open(database) as store:
        store.commit(CommitBatch(journal=[refusal(NOON_MS + 61_000)]))
        assert json.loads(follower.stdout.readline())["seq"] == 9
    follower.send_signal(signal.SIGINT)
    assert follower.wait(timeout=30) == 0
    assert follower.stderr is not None
    assert follower.stderr.read() == ""


def test_the_journal_of_a_new_database_is_an_empty_list(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "new.sqlite"):
        assert document("journal", "--json", "--db", tmp_path / "new.sqlite") == []
