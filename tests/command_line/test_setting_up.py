"""The commands around the configuration and the tables: init, check, diagram."""

import os
import tomllib
from pathlib import Path

import pytest

from fsm.commit import CommitBatch
from fsm.pair import PAIR
from persistence.store import SqliteStore
from tests.command_line.running import invoke, spawn


def test_init_writes_a_configuration_that_check_accepts(tmp_path: Path) -> None:
    written = spawn("init", directory=tmp_path)
    assert written.returncode == 0
    assert tomllib.loads((tmp_path / "dirigent.toml").read_text())["mode"] == "paper"
    checked = spawn("check", directory=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.endswith("ok\n")
    assert "configuration: dirigent.toml" in checked.stdout


def test_init_never_overwrites() -> None:
    Path("mine.toml").write_text("kept")
    result = invoke("init", "mine.toml")
    assert result.exit_code == 2
    assert "mine.toml exists" in result.stderr
    assert Path("mine.toml").read_text() == "kept"


def test_init_into_a_missing_directory_is_refused() -> None:
    result = invoke("init", "nowhere/dirigent.toml")
    assert result.exit_code == 2
    assert "cannot be written (No such file or directory)" in result.stderr


def test_check_without_any_file_tells_the_demonstration() -> None:
    result = invoke("check")
    assert result.exit_code == 0
    for told in (
        "none: the demonstration",
        "mode: paper on paper, database dirigent.sqlite",
        "pair BTC/USDT: sma_cross(), 100 USDT a deal, 1 at once",
        "limits: max_open_deals 10, max_exposure off",
        f"table pair: {len(PAIR.states)} states, {len(PAIR.rows)} rows, definition {PAIR.hash}",
    ):
        assert told in result.stdout


def test_check_lists_every_problem_with_its_place_and_remedy() -> None:
    Path("a.toml").write_text("[risk]\nmax_deals = 1\n")
    Path("b.toml").write_text('[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = "smacross"\ndeal_quota = 1.5\n')
    result = invoke("-c", "a.toml", "check", "-c", "b.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "refused: the configuration is not used",
        "  b.toml: pairs[1].strategy = \"smacross\": no such strategy; did you mean 'sma_cross'?,"
        " or name a file: ./mine.py:Mine",
        "  b.toml: pairs[1].deal_quota = 1.5: a binary fraction is not exact money;"
        ' write it in quotes: "1.5"',
        "  a.toml: risk.max_deals = 1: unknown key; did you mean 'max_open_deals'?",
    ]


def test_check_names_a_missing_file() -> None:
    result = invoke("check", "-c", "missing.toml")
    assert result.exit_code == 2
    assert "missing.toml: no such file" in result.stderr


def test_check_refuses_a_database_that_was_made_for_something_else(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "live.sqlite", mode="live", exchange="kraken") as store:
        store.commit(CommitBatch(facts={"something": "happened"}))
    result = invoke("check", "--db", tmp_path / "live.sqlite")
    assert result.exit_code == 2
    assert "was made for mode 'live', configured is 'paper'" in result.stderr


def test_check_warns_of_a_pair_without_exits_and_of_an_empty_purse() -> None:
    Path("dirigent.toml").write_text('[[pairs]]\nsymbol = "BTC/EUR"\nexit_on_sell_signal = false\n')
    result = invoke("check")
    assert result.exit_code == 0
    assert "warning: BTC/EUR has no exit" in result.stderr
    assert "warning: [paper] balances hold no EUR" in result.stderr


@pytest.mark.parametrize("machine", ["pair", "position", "order", "permission"])
@pytest.mark.parametrize(
    ("format_", "beginning"),
    [("mermaid", "stateDiagram-v2"), ("dot", "digraph"), ("svg", "<svg"), ("markdown", "#")],
)
def test_a_drawing_needs_neither_configuration_nor_store(machine: str, format_: str, beginning: str) -> None:
    Path("dirigent.toml").write_text("nonsense")
    result = invoke("diagram", machine, "--format", format_)
    assert result.exit_code == 0
    assert beginning in result.stdout[:400]


def test_without_a_name_all_machines_are_drawn() -> None:
    result = invoke("diagram", "--format", "markdown")
    whole = [
        invoke("diagram", name, "--format", "markdown").stdout
        for name in ("pair", "position", "order", "permission")
    ]
    assert result.stdout == "\n".join(whole)


def test_four_pictures_are_no_svg() -> None:
    result = invoke("diagram", "--format", "svg")
    assert result.exit_code == 2
    assert "name one of pair" in result.stderr


def test_writing_refreshes_the_drawings_in_a_directory(tmp_path: Path) -> None:
    first = invoke("diagram", "--write", "--directory", tmp_path / "drawn")
    assert first.exit_code == 0
    assert (tmp_path / "drawn" / "position.svg").exists()
    assert str(tmp_path / "drawn" / "position.svg") in first.stdout
    assert invoke("diagram", "--write", "--directory", tmp_path / "drawn").stdout == ""


def test_writing_takes_no_machine_and_no_counts() -> None:
    assert invoke("diagram", "pair", "--write").exit_code == 2
    assert invoke("diagram", "--live", "--write").exit_code == 2


@pytest.mark.parametrize(
    ("configuration", "arguments", "why"),
    [
        ("", ("--live",), 'the configuration says mode = "paper"'),
        ('mode = "live"\n[exchange]\nid = "kraken"\n[[pairs]]\nsymbol = "BTC/EUR"\n', (), "give --live too"),
        (
            'mode = "live"\n[exchange]\nid = "kraken"\n[[pairs]]\nsymbol = "BTC/EUR"\n',
            ("--live",),
            "live trading on kraken needs keys, and none are named",
        ),
        ("mode = 3", (), "mode = 3: not one of the choices"),
    ],
)
def test_trade_is_refused_before_anything_is_written(
    tmp_path: Path, configuration: str, arguments: tuple[str, ...], why: str
) -> None:
    (tmp_path / "dirigent.toml").write_text(configuration)
    done = spawn("trade", *arguments, directory=tmp_path)
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dirigent.toml"]


def test_trade_is_refused_while_another_engine_has_the_database(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "dirigent.sqlite"):
        done = spawn("trade", directory=tmp_path)
    assert done.returncode == 2
    assert str(os.getpid()) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_a_duration_is_a_number_above_zero(value: str) -> None:
    assert invoke("trade", "--duration", value).exit_code == 2


def test_a_file_to_replay_has_to_exist() -> None:
    result = invoke("replay", "missing.csv")
    assert result.exit_code == 2
    assert "'missing.csv' does not exist" in result.stderr
