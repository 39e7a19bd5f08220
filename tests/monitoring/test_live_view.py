"""`status --watch`: on a terminal a view, elsewhere lines, from the store alone, ended by Ctrl-C in every case."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dirigent import live_view
from dirigent.live_view import condition, document, feeds, line, screen
from fsm.commit import StoreError
from persistence.glance import Glance, LastRefusal, PairGlance, glance
from tests.command_line.books import NOON_MS, write_books
from tests.command_line.running import COMMAND, ROOT

_SURROUNDINGS = {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "PYTHONUNBUFFERED": "1", "TERM": "xterm"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_books(tmp_path / "books.sqlite")


def _shown(seen: Glance, width: int = 120, height: int = 30, fault: str = "") -> str:
    console = Console(width=width, height=height, force_terminal=False, file=StringIO())
    console.print(screen(seen, height, fault))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def _many(count: int, **stopped: str) -> Glance:
    pairs = tuple(
        PairGlance(
            f"C{number:04}/USDT", "open" if number == count - 1 else "idle", None, NOON_MS, "no [crossing]"
        )
        for number in range(count)
    )
    refusals = (LastRefusal("C0001/USDT", "max_open_deals", "5/5 deals [in total]", NOON_MS, 312),)
    return Glance(
        NOON_MS + 1000, 4711, {"at_ms": NOON_MS}, {"pair": {"idle": count}}, stopped, pairs, refusals
    )


def test_a_glance_tells_what_lives_and_what_the_engine_said_last(database: Path) -> None:
    seen = glance(database)
    assert seen.pid is None
    assert seen.living == {"pair": {"idle": 2}, "position": {"open": 1}, "order": {"working": 1}}
    assert feeds(seen) == {"fresh": 0, "stale": 1, "waiting": 1}
    assert condition(seen) == "not running"
    text = line(seen)
    for told in (
        "pairs: 2 idle",
        "positions: 1 open",
        "orders: 1 working",
        "equity 10000.90",
        "- ticks/s",
    ):
        assert told in text
    assert document(seen)["ticks_per_s"] is None, "it does not run"
    assert document(seen)["living"]["position"] == {"open": 1}
    json.dumps(document(seen), default=str)


def test_the_screen_has_states_feeds_refusals_equity_and_latency(database: Path) -> None:
    text = _shown(glance(database))
    for told in (
        "not running",
        "equity 10000.90",
        "p50 0.02 ms",
        "BTC/USDT",
        "63100.5",
        "1 working",
        "1 stale",
    ):
        assert told in text
    assert "312" in _shown(_many(3))


def test_brackets_in_a_reason_are_text_and_not_markup() -> None:
    text = _shown(_many(3))
    assert "no [crossing]" in text
    assert "5/5 deals [in total]" in text


@pytest.mark.parametrize("count", [1, 30, 1000])
def test_the_screen_fits_and_shows_first_what_is_stopped_and_what_is_busy(count: int) -> None:
    stopped = {"C0000/USDT": "halted: an anomaly"}
    text = _shown(_many(count, **stopped), width=80, height=24, fault="database is locked")
    lines = text.splitlines()
    assert len(lines) <= 24
    assert all(len(one) <= 80 for one in lines)
    assert "database is locked" in text
    assert "C0000/USDT halted: an anomaly" in text
    assert f"C{count - 1:04}/USDT" in text
    assert ("more" in text) == (count > 3)


def test_an_engine_that_has_fallen_silent_is_called_so() -> None:
    seen = _many(1)
    assert condition(seen) == "running as 4711"
    late = Glance(seen.at_ms + 60_000, 4711, seen.heartbeat, {}, {}, (), ())
    assert condition(late) == "running as 4711, and silent for 61 s"


def test_a_database_that_cannot_be_read_for_a_while_is_waited_for(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = glance(database)
    moments = live_view._moments(database, first, 0)
    assert next(moments) == (first, "")
    away = database.rename(database.with_suffix(".away"))
    seen, fault = next(moments)
    assert seen is first
    assert "no database at" in fault
    away.rename(database)
    assert next(moments)[1] == ""


def test_a_database_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database at"):
        live_view.watch(tmp_path / "none.sqlite", as_json=False)


@pytest.mark.parametrize(("ending", "options"), [(signal.SIGINT, ()), (signal.SIGTERM, ("--json",))])
def test_in_a_pipe_it_writes_lines_until_it_is_ended(
    database: Path, ending: signal.Signals, options: tuple[str, ...]
) -> None:
    with subprocess.Popen(
        [*COMMAND, "--db", str(database), "status", "--watch", *options],
        env=_SURROUNDINGS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        process.send_signal(ending)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, "")
    for written in (first, second):
        assert (json.loads(written)["running"] is False) if options else ("not running" in written)


def _read(terminal: int, until: bytes) -> Iterator[bytes]:
    ends_s, read = time.monotonic() + 20, b""
    while until not in read and time.monotonic() < ends_s:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                return
            if not part:
                return
            read += part
            yield part


def test_on_a_terminal_it_draws_and_ctrl_c_leaves_the_terminal_as_it_was(database: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", COMMAND[-1], "--db", str(database), "status", "--watch"],
        env={**_SURROUNDINGS, "COLUMNS": "100", "LINES": "30"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        drawn = b"".join(_read(ours, b"ETH/USDT"))
        assert b"BTC/USDT" in drawn
        assert b"\x1b[?1049h" in drawn
        process.send_signal(signal.SIGINT)
        rest = b"".join(_read(ours, b"\x1b[?1049l"))
        assert b"\x1b[?1049l" in rest
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(20)
        os.close(ours)
