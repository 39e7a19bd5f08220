"""Streams that fall silent with their sockets open: `status` of the real process says so in time."""

from pathlib import Path

from benchmarks.rehearsed import stall_said
from dirigent.proofs.rehearsed.beside import rehearsing
from dirigent.rehearsal.settings import RehearsalSettings

STALE_AFTER_S = 2.0
BEAT_S = 1.0
SLACK_S = 2.0
"""For a machine that does other work."""


def test_a_stalled_feed_is_said_in_status_in_time(tmp_path: Path) -> None:
    with rehearsing(RehearsalSettings(ticks_per_s=10)) as beside:
        said_s = stall_said(beside, tmp_path, STALE_AFTER_S)
    assert STALE_AFTER_S / 2 < said_s < STALE_AFTER_S + BEAT_S + SLACK_S
