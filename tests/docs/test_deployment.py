"""What lies in `deploy/` fits the project: commands exist, files are there, the manager takes the unit."""

import json
import re
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from dirigent.command_line import main

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "dirigent.service"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def unit() -> ConfigParser:
    parser = ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser


def instructions() -> list[tuple[str, str]]:
    """Each with its words, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, words) for name, _, words in (line.partition(" ") for line in lines)]


def asked(words: list[str]) -> str:
    """The name of the command that these words are taken for; raises click.UsageError."""
    context = click.Context(main, info_name="dirigent")
    _, rest, _ = main.make_parser(context).parse_args(words)
    name, command, arguments = main.resolve_command(context, rest)
    assert command is not None
    command.make_context(str(name), list(arguments), parent=context)
    return str(name)


def test_the_unit_starts_the_engine_and_knows_its_exit_codes(tmp_path: Path) -> None:
    section = unit()["Service"]
    program, *words = shlex.split(section["ExecStart"])
    assert program.endswith("/bin/dirigent")
    for arguments in ([], ["--live"]):
        assert asked([word for word in words if word != "$TRADE_ARGUMENTS"] + arguments) == "trade"
    assert section["Type"] == "notify"
    assert section["RestartPreventExitStatus"] == "2"
    assert section["Restart"] == "on-failure"
    assert float(section["WatchdogSec"]) > 5
    assert section["NoNewPrivileges"] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text()
    program = shlex.split(unit()["Service"]["ExecStart"])[0]
    (tmp_path / "dirigent.service").write_text(text.replace(program, "/bin/true"))
    told = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "dirigent.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_the_image_takes_files_that_exist_and_that_are_not_kept_from_it() -> None:
    kept = set((ROOT / ".dockerignore").read_text().splitlines())
    for name, words in instructions():
        if name == "COPY" and not words.startswith("--from"):
            for source in words.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in kept, source


def test_the_image_takes_every_package_that_is_installed() -> None:
    copied = {words.split()[0] for name, words in instructions() if name == "COPY"}
    assert {"dirigent", "fsm", "persistence", "services"} <= copied
    assert any("run_realtime_trading.py" in words for name, words in instructions() if name == "COPY")


def test_the_image_runs_without_rights_and_asks_for_its_health() -> None:
    given = dict(instructions())
    assert given["USER"] not in ("0", "root")
    assert json.loads(given["ENTRYPOINT"]) == ["dirigent"]
    assert asked(json.loads(given["CMD"])) == "trade"
    health = given["HEALTHCHECK"]
    words = json.loads(health[health.index("CMD") + 3 :])
    assert words[0] == "dirigent"
    assert asked(words[1:]) == "status"
    assert words[-1] == "--healthy"
    assert given["STOPSIGNAL"] == "SIGTERM"
