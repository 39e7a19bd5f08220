"""The command itself: help, versions, exit codes, common options, pipes."""

import os
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from pathlib import Path

import click
import pytest

from dirigent.command_line import _COMMANDS, CUSTOMARY, main
from dirigent.commands.common import DEFAULT_FILE, Common
from dirigent.configuration.settings import DEFAULT_FILE as SETTINGS_DEFAULT_FILE
from tests.command_line.running import COMMAND, ROOT, invoke, spawn
from tests.fresh_process import printed

HEAVY = ("pydantic", "pydantic_settings", "rich", "sqlite_utils", "loguru", "transitions", "sqlite3")


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(argument: str) -> None:
    script = (
        "import sys\nfrom dirigent.command_line import main\n"
        f"try: main([{argument!r}])\n"
        "except SystemExit as ended: assert ended.code == 0\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert printed(script).endswith("heavy: []\n")


def test_the_version_is_one_line() -> None:
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.output.startswith("dirigent ")
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_says_what_the_list_says_and_gives_an_example(name: str) -> None:
    assert (command(name).help or "").splitlines()[0] == _COMMANDS[name]
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert f"Example: dirigent {name}" in result.output or f" {name}" in (command(name).epilog or "")
    for option in ("-c, --config", "--db", "-v, --verbose"):
        assert option in result.output


def test_the_list_of_commands_is_the_help() -> None:
    output = invoke("--help").output
    assert all(f"  {name} " in output and short in output for name, short in _COMMANDS.items())
    assert "Example: " in output


def test_the_default_file_is_one() -> None:
    assert DEFAULT_FILE == SETTINGS_DEFAULT_FILE


def test_a_misspelt_command_is_refused_with_the_nearest() -> None:
    result = invoke("statsu")
    assert result.exit_code == 2
    assert "did you mean 'status'?" in result.output


@pytest.mark.parametrize(
    ("name", "meant"),
    [("run", "trade"), ("start", "trade"), ("traed", "trade"), ("stop", "halt"), ("backtest", "replay")],
)
def test_a_customary_name_of_a_command_is_refused_with_ours(name: str, meant: str) -> None:
    result = invoke(name)
    assert result.exit_code == 2
    assert f"did you mean '{meant}'?" in result.output


def test_every_customary_name_stands_for_a_command_and_is_none() -> None:
    assert set(CUSTOMARY.values()) <= set(_COMMANDS)
    assert not set(CUSTOMARY) & set(_COMMANDS)


def _parameters(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Parameter]]:
    """Of every command, those below a command included."""
    for parameter in group.params:
        yield " ".join((*path, parameter.opts[0])), parameter
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            below = group.get_command(context, name)
            assert below is not None
            yield from _parameters(below, (*path, name))


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "NaN", "1e999", "Infinity"])
def test_no_option_takes_a_number_that_is_none(text: str) -> None:
    """Whatever an option makes of it, it is no number: nan compares as false with any bound."""
    asked = 0
    for name, parameter in _parameters(main):
        context = click.Context(click.Command(name))
        values = (f"USDT={text}", text)  # of `--balance COIN=AMOUNT`, and of a number by itself
        for value in values:
            given: object = [value] * parameter.nargs if parameter.nargs > 1 else value
            try:
                taken = parameter.process_value(context, (given,) if parameter.multiple else given)
            except click.UsageError:
                asked += 1
                continue
            for one in _flat(taken):
                assert _is_number_or_none_at_all(one), f"{name} takes {value!r}"
    assert asked > 10, "options with numbers were found"


def _is_number_or_none_at_all(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return not isinstance(value, float) or isfinite(value)


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, tuple | list):
        for one in value:
            yield from _flat(one)
    else:
        yield value


@pytest.mark.parametrize(
    "arguments", [("status", "--jsn"), ("diagram", "pear"), ("--nothing",), ("init", "a", "b")]
)
def test_wrong_usage_is_refused(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Error" in result.output


def test_common_options_count_on_both_sides_of_the_command() -> None:
    seen: list[Common] = []

    @click.pass_obj
    def see(common: Common, /, **_options: object) -> None:
        seen.append(common)

    pairs = command("pairs")
    kept, pairs.callback = pairs.callback, see
    try:
        invoke("-v", "-c", "a.toml", "--db", "one", "pairs", "-c", "b.toml", "-vv", "--db", "two")
        invoke("pairs")
    finally:
        pairs.callback = kept
    assert seen == [Common(["a.toml", "b.toml"], "two", 3), Common()]


@pytest.mark.parametrize(
    "arguments", [("journal",), ("journal", "--json"), ("journal", "--follow"), ("orders",)]
)
def test_a_reader_that_left_is_no_fault(database: Path, arguments: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*COMMAND, *arguments, "--db", str(database)],
        cwd=ROOT,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


def test_piped_text_has_neither_colour_nor_boxes_nor_cut_values(database: Path, tmp_path: Path) -> None:
    done = spawn("orders", "--db", database, directory=tmp_path)
    assert done.returncode == 0
    assert "63000.123456789012345678" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["client_order_id", "abcdeo1", "abcdeo2"]
