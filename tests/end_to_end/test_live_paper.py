"""The real process on the prices of an exchange that real ccxt talks to: a dry run, and trading with keys."""

import socket
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dirigent import venues
from dirigent.configuration.sample import literal
from dirigent.configuration.settings import load_settings
from dirigent.proofs.death.book_keeping import repeated_intents
from dirigent.proofs.death.daemons import Daemon, Place, wait_until
from dirigent.proofs.rehearsed.beside import rehearsing
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import SECRET, RehearsalSettings
from services.clocks import SystemClock
from services.exchanges.paper_file import audit
from tests.end_to_end.rehearsing import restless_on

LIVELY = RehearsalSettings(ticks_per_s=50, symbols=("BTC/USDT", "ETH/USDT"))


def feeds(place: Place) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = place.document("status").get("feeds") or []
    return told


def test_a_dry_run_trades_on_real_prices_and_sends_nothing(tmp_path: Path) -> None:
    with rehearsing(LIVELY) as beside:
        place = Place.make(tmp_path, restless_on(beside))
        assert place.run("check").returncode == 0
        with Daemon(place) as daemon:
            daemon.wait_until_trading()
            wait_until(
                lambda: any(order.fills for order in audit(place.exchange_file).orders), lambda: daemon.said
            )
            wait_until(lambda: len(feeds(place)) == 2, lambda: daemon.said, daemon.process)
            told = place.document("status")
            assert (told["mode"], told["exchange"]) == ("paper", "binance")
            assert [(feed["symbol"], feed["source"], feed["stale"]) for feed in told["feeds"]] == [
                ("BTC/USDT", "stream", False),
                ("ETH/USDT", "stream", False),
            ]
            assert daemon.stop() == 0, daemon.said
        book = audit(place.exchange_file)
        assert list(repeated_intents(place.database, book)) == []
        assert beside.audit["orders"]["accepted"] == 0
        low, high = Decimal("0.9"), Decimal("1.1")
        price = beside.do(lambda server: server.venue.markets.tapes["BTC/USDT"].point.last)
        bought = [fill.price for order in book.orders for fill in order.fills if fill.symbol == "BTC/USDT"]
        assert all(low < paid / price < high for paid in bought)
        assert place.run("verify").returncode == 0
        assert place.run("reconcile", "--plan").returncode == 0

        place.configure('mode = "paper"\n')
        refused = place.run("trade")
        assert refused.returncode == 2
        assert "belongs to paper trading on binance" in refused.stderr


def is_trading_live(daemon: Daemon) -> bool:
    return "dirigent: live trading" in daemon.said


def cut_everything(server: Rehearsal) -> int:
    """How often the engine had compared its books by then."""
    for connection in server.connections:
        connection.cut()
    return int(server.audit()["requests"].get("GET /api/v3/openOrders", 0))


def test_with_keys_it_trades_on_and_compares_its_books_after_every_connection_was_cut(tmp_path: Path) -> None:
    with rehearsing(LIVELY) as beside:
        place = Place.make(tmp_path, restless_on(beside, "live", keys=True))
        with Daemon(place, "--live") as daemon:
            wait_until(lambda: is_trading_live(daemon), lambda: daemon.said, daemon.process)
            wait_until(lambda: beside.audit["fills"] > 0, lambda: daemon.said, daemon.process)
            asked = beside.do(cut_everything)
            wait_until(
                lambda: beside.audit["requests"]["GET /api/v3/openOrders"] > asked, lambda: daemon.said
            )
            wait_until(lambda: all(feed["reconnects"] for feed in feeds(place)), lambda: daemon.said)
            told = place.document("status")
            assert [(feed["source"], feed["stale"]) for feed in told["feeds"]] == [("stream", False)] * 2
            assert (told["order_stream"]["source"], told["circuit"]["circuit"]) == ("stream", "closed")
            orders = beside.audit["orders"]["accepted"]
            wait_until(lambda: beside.audit["orders"]["accepted"] > orders, lambda: daemon.said)
            assert daemon.stop() == 0, daemon.said
        rows = place.document("reconcile", "--plan", patience_s=60)["differences"]
        assert {row["what"] for row in rows} <= {"fill_missed"}, "what rested when it stopped may have filled"
        made = beside.audit
        assert (made["duplicates"], made["faults_in_the_books"]) == ([], [])


def test_keys_that_the_exchange_refuses_are_said_to_be_so_and_tried_once(tmp_path: Path) -> None:
    with rehearsing(RehearsalSettings()) as beside:
        wrong = restless_on(beside, "live", keys=True).replace(SECRET, "fake-secret-of-nobody")
        place = Place.make(tmp_path, wrong)
        done = place.run("trade", "--live")
        assert done.returncode == 1
        assert "binance refuses the keys" in done.stderr
        assert "fake-secret" not in done.stderr
        assert beside.audit["requests"]["GET /api/v3/account"] == 1


def files_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def refusal(server: Rehearsal, directory: Path, symbol: str) -> str:
    exchange = {"id": "binance", "options": server.ccxt_options()}
    pairs = [{"symbol": symbol, "strategy": "sma_cross"}]
    overrides = {"database": str(directory / "engine.sqlite"), "exchange": exchange, "pairs": pairs}
    with pytest.raises((venues.Refused, venues.Unreachable)) as refused:
        async with venues.opened(load_settings((), overrides, {}), [symbol], SystemClock()):
            pass
    return f"{refused.typename}: {refused.value}"


async def test_a_market_that_is_not_listed_is_refused_with_the_nearest(tmp_path: Path) -> None:
    async with Rehearsal() as server:
        told = await refusal(server, tmp_path, "BTCC/USDT")
    assert told == "Refused: binance lists no spot market BTCC/USDT; did you mean BTC/USDT?"
    assert files_in(tmp_path) == []


async def test_an_exchange_that_cannot_be_reached_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    async with Rehearsal() as server:
        """Its address is known, and then nobody is there."""
    told = await refusal(server, tmp_path, "BTC/USDT")
    assert told.startswith("Unreachable: binance cannot be reached")
    assert files_in(tmp_path) == []


def test_a_start_that_never_reached_its_exchange_claims_no_database(tmp_path: Path) -> None:
    urls = literal({"api": {"public": "http://127.0.0.1:1/api/v3"}})
    keys = 'options = { apiKey = "fake-key", secret = "fake-secret", urls = ' + urls + " }"
    unreachable = f'mode = "live"\n[exchange]\nid = "binance"\n{keys}\n'
    place = Place.make(tmp_path, unreachable + '[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = "sma_cross"\n')
    failed = place.run("trade", "--live")
    assert (failed.returncode, "cannot be reached" in failed.stderr) == (1, True), failed.stderr
    unreachable_live = (tmp_path / "dirigent.toml").read_text()
    place.configure('mode = "paper"\n')
    for command in ("check", "trade --ticks 3"):
        done = place.run(*command.split())
        assert done.returncode == 0, done.stderr
    (tmp_path / "dirigent.toml").write_text(unreachable_live)
    for command in ("check", "trade --live"):
        done = place.run(*command.split())
        assert (done.returncode, "paper" in done.stderr) == (2, True), done.stderr


def test_a_signal_stops_it_while_the_exchange_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        urls = literal({"api": {"public": f"http://127.0.0.1:{mute.getsockname()[1]}/api/v3"}})
        exchange = f'[exchange]\nid = "binance"\noptions = {{ urls = {urls} }}\n'
        place = Place.make(tmp_path, exchange + '[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = "sma_cross"\n')
        with Daemon(place) as daemon:
            mute.settimeout(20)
            heard, _ = mute.accept()
            with heard:
                asked_s = time.monotonic()
                assert daemon.stop() == 0, daemon.said
                assert time.monotonic() - asked_s < 5
        assert "nothing was begun" in daemon.said
