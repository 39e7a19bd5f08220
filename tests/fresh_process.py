"""Runs a script in a Python process of its own, where nothing is imported yet and sets have an order of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def printed(script: str, **environment: str) -> str:
    """What the script says, which has to end well; `environment` is added to this process's own."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def printed_for_hash_seeds(script: str, *seeds: str) -> set[str]:
    """One text, if what the script says does not depend on the order of sets."""
    return {printed(script, PYTHONHASHSEED=seed) for seed in seeds}
