"""A full disk stops new orders and nothing else; with room again the engine goes on, nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from dirigent.proofs.death.daemons import ROOT, surroundings
from tests.end_to_end.mounts import OWN_MOUNTS, mounts_are_allowed


def test_a_full_disk_stops_orders_and_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mounts_are_allowed(disk):
        pytest.skip("this user may not mount a small disk")
    played = subprocess.run(
        [*OWN_MOUNTS, sys.executable, "-m", "tests.end_to_end.full_disk", str(disk), str(tmp_path)],
        cwd=ROOT,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert played.returncode == 0, played.stderr
