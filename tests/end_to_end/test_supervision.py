"""What supervisors see of the real engine: its word to a service manager, its health, and its exit codes.

That 0 is a stop as told and 128 + n a second signal is in test_stopping.py; 2 for a second engine, in
test_one_daemon_a_database.py.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dirigent.health import SILENCE_S_MAX, ailments
from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import (
    COMMAND,
    PATIENCE_S,
    Daemon,
    Place,
    surroundings,
    trading,
    wait_until,
)
from dirigent.service_manager import notify, watchdog_s
from persistence import journal_queries, queries

WATCHDOG_S = 0.6


@contextmanager
def service(place: Place, address: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Started as a service manager would; killed at the end of the `with` if it still runs."""
    told = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1_000_000))}
    with (place.directory / "service.log").open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "trade", *arguments],
            cwd=place.directory,
            env={**surroundings(), **told},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        listening.settimeout(PATIENCE_S)
        yield listening


def listen_for_ever(heard: socket.socket) -> None:
    """Raises TimeoutError once nothing more is said."""
    while True:
        heard.recv(4096)


def test_a_service_manager_hears_ready_alive_and_stopping(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market()))
    address = str(tmp_path / "notify")
    with manager(address) as heard, service(place, address) as process:
        assert heard.recv(4096) == b"READY=1"
        assert "paper trading" in (tmp_path / "service.log").read_text()
        for _ in range(3):
            began_s = time.monotonic()
            alive = heard.recv(4096).decode()
            assert time.monotonic() - began_s < WATCHDOG_S
            assert alive.startswith("WATCHDOG=1\nSTATUS=pairs:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        while (last := heard.recv(4096)).startswith(b"WATCHDOG"):
            pass
        assert last == b"STOPPING=1"


def test_an_engine_that_hangs_says_nothing_and_its_heartbeat_ages(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market()))
    address = f"@dirigent-test-{os.getpid()}"
    with manager(address) as heard, service(place, address) as process:
        assert heard.recv(4096) == b"READY=1"
        assert heard.recv(4096).startswith(b"WATCHDOG=1")
        wait_until(lambda: ailments(place.database) == [], lambda: "it is not well", process)
        process.send_signal(signal.SIGSTOP)
        heard.settimeout(WATCHDOG_S)
        with pytest.raises(TimeoutError):
            listen_for_ever(heard)
        later_ms = int((time.time() + SILENCE_S_MAX + 2) * 1000)
        (ailment,) = ailments(place.database, later_ms)
        assert "no heartbeat for" in ailment


def test_a_word_to_nobody_is_lost_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    for address in (str(tmp_path / "nobody"), "@nobody-listens-here", "relative"):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        assert not notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("30000000", None, 30.0),
        ("30000000", "1", None),
        ("", None, None),
        ("soon", None, None),
        ("0", None, None),
    ],
)
def test_the_watchdog_s_limit_is_read_and_meant_for_this_process(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str | None, expected: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_s() == expected


def test_the_health_command_judges_by_its_exit_code(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market()))
    with trading(place) as daemon:
        wait_until(lambda: ailments(place.database) == [], lambda: "it is not well", daemon.process)
        well = place.run("status", "--healthy")
        assert (well.returncode, well.stdout) == (0, "healthy\n")
        assert daemon.stop() == 0
    unwell = place.run("status", "--healthy")
    assert (unwell.returncode, unwell.stderr) == (1, "failed: it does not run\n")


def test_exit_1_means_that_another_start_may_succeed(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
        urls = f'{{ api = {{ public = "{nowhere}", private = "{nowhere}" }} }}'
        place = Place.make(
            tmp_path,
            f'[exchange]\nid = "binance"\noptions = {{ urls = {urls} }}\n[[pairs]]\nsymbol = "BTC/USDT"\n',
        )
        with Daemon(place) as daemon:
            assert daemon.wait() == 1, daemon.said
    assert "cannot be reached" in daemon.said


@pytest.mark.parametrize(
    ("configuration", "said"),
    [("[risk]\nmax_open_deals = 0\n", "max_open_deals")],
)
def test_exit_2_means_that_a_person_has_to_change_something(
    tmp_path: Path, configuration: str, said: str
) -> None:
    place = Place.make(tmp_path, configuration)
    with Daemon(place) as daemon:
        assert daemon.wait() == 2
    assert said in daemon.said


def record_of(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)["record"]
    return record


def test_one_position_s_whole_story_is_in_the_log_under_its_id(tmp_path: Path) -> None:
    log = '[logging]\nlevel = "DEBUG"\nfile = "engine.log"\njson = true\n'
    place = Place.make(tmp_path, restless(Market()) + log)
    with trading(place) as daemon:
        wait_until(
            lambda: len(queries.positions(place.database, state="closed")) >= 1,
            lambda: "nothing closed",
            daemon.process,
        )
        assert daemon.stop() == 0
    position = queries.positions(place.database, state="closed")[0]["id"]
    story = [line for line in (tmp_path / "engine.log").read_text().splitlines() if position in line]
    journaled = journal_queries.entries(place.database, position)
    told = [entry["target"] for entry in journaled if entry["machine"] == "position"]
    assert told[-1] == "closed"
    heard = [record["extra"] for record in map(record_of, story)]
    assert [one["to"] for one in heard if "position" in one and "order" not in one] == told
    orders = {one["order"] for one in heard if "order" in one}
    assert orders == {entry["subject_id"] for entry in journaled if entry["machine"] == "order"}
    fills = [row["id"] for row in queries.fills(place.database) if row["client_order_id"] in orders]
    assert sorted(one["fill"] for one in heard if "fill" in one) == sorted(fills)
    assert "result" in heard[-1]
    leaving = next(one for one in heard if one.get("to") == "closing" and "order" not in one)
    assert leaving["exit"] == queries.positions(place.database, state="closed")[0]["exit_reason"]
