"""The commands as a person types them: what is asked, refused at once, kept for later, and answered."""

import json
from pathlib import Path

import pytest

from dirigent.proofs.death.configurations import Market, only_leaving
from dirigent.proofs.death.daemons import Place, trading
from persistence import commands
from tests.command_line.books import CLOSED, ENTRY, EXIT, OPEN, write_books
from tests.command_line.running import document, invoke


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_books(tmp_path / "engine.sqlite")


def given(database: Path) -> list[tuple[str, dict[str, object]]]:
    return [(command.kind, dict(command.arguments)) for command in commands.waiting(database)]


def test_a_command_to_an_engine_that_is_down_is_kept_and_said_to_be(database: Path) -> None:
    result = invoke("--db", database, "halt", "BTC/USDT", "--reason", "news", "--person", "Ada")
    assert result.exit_code == 0
    assert result.stdout == "the engine is not running: the command is kept for its next start\n"
    (command,) = commands.waiting(database)
    assert (command.kind, command.person, command.expires_at_ms) == ("halt", "Ada", None)
    assert command.arguments == {"symbol": "BTC/USDT", "reason": "news"}


def test_what_moves_money_expires_and_says_when(database: Path) -> None:
    told = document("--db", database, "force-enter", "BTC/USDT", "--yes", "--json")
    (command,) = commands.waiting(database)
    assert command.expires_at_ms == command.given_at_ms + 60_000
    assert told["outcome"] == "kept"
    assert told["answer"].endswith(f"for its next start until {told['expires_at']}")
    document("--db", database, "force-exit", OPEN, "--yes", "--json", "--expires", "5")
    assert commands.waiting(database)[1].expires_at_ms == commands.waiting(database)[1].given_at_ms + 5_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("halt", "BTC/USD"), "no pair 'BTC/USD' in this database; did you mean BTC/USDT?"),
        (("resume", "XRP/EUR"), "no pair 'XRP/EUR'"),
        (("stop-entry", "btc/usdt"), "did you mean BTC/USDT?"),
        (("force-enter", "LTC/USDT", "--yes"), "no pair 'LTC/USDT'"),
        (("force-exit", "nobody", "--yes"), "no position 'nobody'"),
        (("force-exit", CLOSED, "--yes"), f"position {CLOSED} is closed: it has ended"),
        (("cancel-order", "nobody", "--yes"), "no order 'nobody'"),
        (("cancel-order", ENTRY, "--yes"), f"order {ENTRY} is filled: it has ended"),
        (("pairs", "remove", "LTC/USDT"), "no pair 'LTC/USDT'"),
        (("pairs", "add", "LTC-USDT", "--yes"), 'write it as "LTC/USDT"'),
        (("pairs", "add", "nothing.toml", "--yes"), "no such file"),
        (("pairs", "add", "LTC/USDT", "LTC/USDT", "--yes"), "named twice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_nobody_knows_is_refused_at_once(database: Path, words: tuple[str, ...], says: str) -> None:
    result = invoke("--db", database, *words)
    assert (result.exit_code, says in result.stderr) == (2, True), result.output
    assert given(database) == []


@pytest.mark.parametrize(
    "words",
    [
        ("force-exit", "all"),
        ("force-enter", "BTC/USDT"),
        ("cancel-order", EXIT),
        ("pairs", "add", "LTC/USDT"),
    ],
)
def test_what_moves_money_is_not_done_without_a_terminal_or_yes(
    database: Path, words: tuple[str, ...]
) -> None:
    result = invoke("--db", database, *words)
    assert (result.exit_code, "give --yes" in result.stderr) == (2, True)
    assert given(database) == []
    assert invoke("--db", database, *words, "--yes").exit_code == 0
    assert len(given(database)) == 1


def test_a_file_of_pairs_is_validated_as_the_configuration_is(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.toml"
    file.write_text('[[pairs]]\nsymbol = "LTC/USDT"\nstrategy = "external"\nstop_loss = "1.5"\n')
    result = invoke("--db", database, "pairs", "add", file, "--yes")
    assert result.exit_code == 2
    assert f'{file}: pairs[1].stop_loss = "1.5"' in result.stderr
    file.write_text('[[pairs]]\nsymbol = "LTC/USDT"\nstrategy = "external"\nstop_loss = "0.5"\n[risk]\n')
    result = invoke("--db", database, "pairs", "add", file, "--yes")
    assert (result.exit_code, "only [[pairs]] tables belong there, and it has risk" in result.stderr) == (
        2,
        True,
    )
    file.write_text('[[pairs]]\nsymbol = "LTC/USDT"\nstrategy = "external"\nstop_loss = "0.5"\n')
    assert invoke("--db", database, "pairs", "add", file, "ADA/USDT", "--yes").exit_code == 0
    ((kind, arguments),) = given(database)
    sections = arguments["pairs"]
    assert isinstance(sections, list)
    assert (kind, [section["symbol"] for section in sections]) == ("pairs-add", ["LTC/USDT", "ADA/USDT"])
    assert sections[0]["stop_loss"] == "0.5"


def test_pairs_alone_lists_as_ever(database: Path) -> None:
    assert [row["symbol"] for row in document("--db", database, "pairs", "--json")] == [
        "BTC/USDT",
        "ETH/USDT",
    ]


def test_without_a_database_there_is_nobody_to_command(tmp_path: Path) -> None:
    result = invoke("--db", tmp_path / "none.sqlite", "halt")
    assert (result.exit_code, "start `dirigent trade` first" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_running_engine_answers_and_a_reload_reads_its_files(tmp_path: Path) -> None:
    configuration = only_leaving(Market(ticks_per_s=50), ["BTC/USDT", "ETH/USDT"])
    place = Place.make(tmp_path, configuration)
    with trading(place) as daemon:
        halted = place.run("halt", "BTC/USDT", "--person", "Ada", "--reason", "lunch")
        assert halted.stdout == "BTC/USDT is halted: no entries, exits go on; until `dirigent resume`\n"
        refused = place.run("force-enter", "BTC/USDT", "--yes", "--json")
        assert refused.returncode == 1
        assert json.loads(refused.stdout)["answer"] == (
            "BTC/USDT does not enter: entry_is_permitted: BTC/USDT is halted: Ada: lunch"
        )
        assert "is with the engine" in place.run("resume", "all", "--no-wait").stdout
        assert place.run("pairs", "add", "LTC/USDT", "--yes").returncode == 0
        place.configure(configuration + "\n[risk]\nmax_open_deals = 3\n")
        assert place.run("reload").stdout == "changed: risk.max_open_deals 10 -> 3\n"
        assert daemon.stop() == 0, daemon.said
    by_symbol = {row["symbol"]: row for row in place.document("pairs")}
    assert by_symbol["BTC/USDT"]["permission"] == "active"
    assert by_symbol["LTC/USDT"]["last_price"] is not None, "its feed ran"
