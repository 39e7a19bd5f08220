"""Runs the command: in this process, or as a person would, in one of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from dirigent.command_line import main

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "dirigent.command_line"]


def invoke(*arguments: str | Path) -> Result:
    """In this process; an exception that the command does not answer for is raised here."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def document(*arguments: str | Path) -> Any:
    """The one JSON document that a command prints."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def spawn(
    *arguments: str | Path, directory: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
