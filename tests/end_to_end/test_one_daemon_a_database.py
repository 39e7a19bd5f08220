"""One writer a database: a second daemon is refused, a killed one holds nothing."""

import time
from pathlib import Path

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Daemon, Place, trading, wait_until


def test_a_second_daemon_is_refused_at_once_and_the_first_goes_on(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market()))
    with trading(place) as first:
        asked_s = time.monotonic()
        second = place.run("trade")
        assert time.monotonic() - asked_s < 5
        assert second.returncode == 2
        pid = first.process.pid
        assert f"database engine.sqlite: process {pid} is using it; stop that engine first" in second.stderr
        assert "Traceback" not in second.stderr

        before = place.document("status")["ticks"]
        wait_until(lambda: place.document("status")["ticks"] > before, lambda: "the first stands still")
        assert first.stop() == 0, first.said


def test_a_restart_after_a_kill_waits_for_no_lock(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market()))
    with trading(place) as first:
        first.kill()
    assert place.document("status")["running"] is False
    began_s = time.monotonic()
    with Daemon(place) as second:
        second.wait_until_trading()
        assert time.monotonic() - began_s < 5
        assert "resumed in" in second.said
        assert second.stop() == 0, second.said


def test_status_tells_of_the_engine_while_it_runs(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market()))
    with trading(place) as daemon:
        wait_until(lambda: place.document("status")["ticks"] > 0, lambda: "no heartbeat came", daemon.process)
        status = place.document("status")
        assert (status["mode"], status["exchange"]) == ("paper", "paper")
        assert (status["running"], status["pid"]) == (True, daemon.process.pid)
        assert sum(status["pairs_by_state"].values()) == 6
        assert status["uptime_s"] > 0
        assert place.run("verify").returncode == 0
        daemon.kill()
        status = place.document("status")
        assert (status["running"], status["pid"]) == (False, None)
