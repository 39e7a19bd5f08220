"""The engine as a process that trades what a folder's configuration says, stopped at the end."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsm.commit import StoreError
from persistence import queries
from tests.command_line.running import COMMAND, ROOT

PATIENCE_S = 20.0


@contextmanager
def daemon(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    log = (folder / "log.txt").open("ab")
    began_ms = time.time() * 1000
    process = subprocess.Popen(
        [*COMMAND, "trade"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=log,
        stderr=log,
    )
    try:
        until(lambda: _ticks(folder, began_ms) > 30, "it trades", process)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def until(holds: Callable[[], Any], what: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    ends_at_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert process is None or process.poll() is None, f"the engine ended before {what}"
        assert time.monotonic() < ends_at_s, f"it took too long until {what}"
        time.sleep(0.05)


def _ticks(folder: Path, since_ms: float) -> int:
    """Of the engine that was started since then, as far as it has said."""
    try:
        status = queries.status(folder / "engine.sqlite")
    except StoreError:  # the file is in the making
        return 0
    return int(status["ticks"]) if (status.get("started_at_ms") or 0) >= since_ms else 0
