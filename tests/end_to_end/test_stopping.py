"""How the daemon ends: on a signal, on a second one, after so many seconds or prices."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from dirigent import companions
from dirigent import daemon as engine
from dirigent.configuration.settings import load_settings
from dirigent.proofs.death.book_keeping import repeated_intents
from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Daemon, Place, trading, wait_until
from dirigent.running import Limits, Run
from services.exchanges.paper_file import audit

SLOW = Market(latency_ms_min=400, latency_ms_max=400)


def test_a_signal_stops_it_within_five_seconds_and_it_says_what_stays(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market(latency_ms_max=150)))
    with trading(place) as daemon:
        wait_until(lambda: audit(place.exchange_file).orders != [], lambda: "nothing was ordered")
        asked_s = time.monotonic()
        assert daemon.stop() == 0, daemon.said
        assert time.monotonic() - asked_s < 5
        assert "stopping; once more to stop at once" in daemon.said
        assert "positions stay as they are" in daemon.said
        assert "The same command goes on from here." in daemon.said
    status = place.document("status")
    assert (status["running"], status["pid"]) == (False, None)
    live = sum(order.is_open for order in audit(place.exchange_file).orders)
    assert f"stopped: {live} orders stay at the exchange" in daemon.said
    assert list(repeated_intents(place.database, audit(place.exchange_file))) == []


def test_a_second_signal_stops_it_at_once(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(SLOW))
    with trading(place) as daemon:
        daemon.signal(signal.SIGINT)
        wait_until(lambda: "once more" in daemon.said, lambda: "it does not hear", daemon.process)
        assert daemon.process.poll() is None, "it stopped before the second signal"
        daemon.signal(signal.SIGINT)
        assert daemon.wait() == 128 + signal.SIGINT
        assert "stopped:" not in daemon.said
    assert place.run("verify").returncode == 0


def test_it_ends_after_so_many_prices_or_seconds(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market()))
    with Daemon(place, "--ticks", "100") as daemon:
        assert daemon.wait() == 0, daemon.said
    assert 100 <= place.document("status")["ticks"] < 1000

    began_s = time.monotonic()
    with trading(place, "--duration", "0.5") as daemon:
        assert daemon.wait() == 0, daemon.said
    assert time.monotonic() - began_s < 10
    assert 0.5 <= place.document("status")["uptime_s"] < 5


def test_a_signal_stops_it_while_it_still_asks_the_exchange(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market(latency_ms_min=3000, latency_ms_max=3000)))
    with Daemon(place) as daemon:
        wait_until(place.exchange_file.exists, lambda: "the exchange does not open", daemon.process)
        asked_s = time.monotonic()
        assert daemon.stop() == 0, daemon.said
        assert time.monotonic() - asked_s < 5
        assert not daemon.is_trading()
        assert "stopped: 0 orders stay at the exchange" in daemon.said


@pytest.mark.parametrize("turns", range(8))
def test_a_comparison_asked_for_in_the_moment_of_the_stop_does_not_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    async def ask_at_the_stop(run: Run) -> None:
        await run.stop.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        run.reconciler.request()
        await asyncio.Event().wait()

    monkeypatch.setattr(companions, "OPTIONAL", (*companions.OPTIONAL, ask_at_the_stop))
    pairs = [{"symbol": "BTC/USDT", "strategy": "external"}]
    settings = load_settings(
        (), {"mode": "paper", "database": str(tmp_path / "engine.sqlite"), "pairs": pairs}, {}
    )
    began_s = time.monotonic()
    assert engine.run(settings, Limits(ticks=1)) == 0
    assert time.monotonic() - began_s < 5
