"""What an operator gets wrong, and what is in disorder when a command is needed: each is told what to do."""

from pathlib import Path

import pytest

from persistence import commands
from persistence.commands import inbox_path
from tests.command_line.books import OPEN
from tests.command_line.running import document, invoke


@pytest.fixture
def broken(database: Path, tmp_path: Path) -> Path:
    """The database beside a configuration that nobody can read, as while it is being edited."""
    (tmp_path / "dirigent.toml").write_text('database = "books.sqlite"\n[risk\n', encoding="utf-8")
    return database


@pytest.mark.parametrize("words", [("halt",), ("status",), ("force-exit", OPEN, "--yes"), ("journal",)])
def test_a_broken_configuration_says_how_to_do_without_it(broken: Path, words: tuple[str, ...]) -> None:
    refused = invoke(*words)
    assert refused.exit_code == 2
    assert "not TOML" in refused.stderr
    assert "--db FILE names it" in refused.stderr
    assert commands.waiting(broken) == []
    assert invoke(*words, "--db", broken).exit_code == 0


def test_a_check_of_a_broken_configuration_proposes_no_way_around_it(broken: Path) -> None:
    refused = invoke("check")
    assert refused.exit_code == 2
    assert "--db" not in refused.stderr


@pytest.mark.parametrize("name", ["positions", "orders", "fills"])
def test_a_list_of_an_unknown_market_is_refused_with_the_nearest(database: Path, name: str) -> None:
    refused = invoke(name, "--symbol", "BTC/USD", "--db", database)
    assert refused.exit_code == 2
    assert "did you mean BTC/USDT?" in refused.stderr


@pytest.mark.parametrize(
    ("name", "states"), [("positions", "idle, signalled, ordering"), ("orders", "planned")]
)
def test_a_list_of_an_unknown_state_is_refused_with_those_that_exist(
    database: Path, name: str, states: str
) -> None:
    refused = invoke(name, "--state", "opne", "--db", database)
    assert refused.exit_code == 2
    assert f"is ever 'opne'; its states are {states}" in refused.stderr


def test_without_a_database_reconcile_speaks_of_it_and_not_of_the_exchanges_file() -> None:
    refused = invoke("reconcile", "--plan")
    assert refused.exit_code == 2
    assert "no database at dirigent.sqlite; start `dirigent trade` first" in refused.stderr
    assert "paper-exchange" not in refused.stderr


def test_without_a_terminal_reconcile_asks_nobody_and_changes_nothing(database: Path) -> None:
    refused = invoke("reconcile", "--detach", OPEN, "--db", database)
    assert refused.exit_code == 2
    assert "give --yes if it is meant" in refused.stderr
    assert document("positions", "--state", "open", "--json", "--db", database)


def test_moments_are_told_as_everywhere(database: Path) -> None:
    refused = invoke("state", "--at", "2001-01-01T00:00:00Z", "--db", database)
    assert refused.exit_code == 2
    assert "2001-01-01T00:00:00.000Z is before" in refused.stderr
    assert "+00:00" not in refused.stderr


def test_the_status_counts_the_commands_that_wait_for_an_engine(database: Path) -> None:
    assert "commands_waiting" not in document("status", "--json", "--db", database)
    invoke("halt", "--db", database)
    invoke("resume", "--db", database)
    assert document("status", "--json", "--db", database)["commands_waiting"] == 2
    assert "commands_waiting    2" in invoke("status", "--db", database).stdout


def test_a_damaged_file_of_commands_hides_no_status_and_says_what_to_do(database: Path) -> None:
    inbox_path(database).write_text("my diary\n" * 100, encoding="utf-8")
    assert "the file of commands is damaged" in invoke("status", "--db", database).stdout
    refused = invoke("halt", "--db", database)
    assert refused.exit_code == 2
    assert "move it away, and give anew" in refused.stderr
