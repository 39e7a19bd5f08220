"""Which exchange a configuration means, and what an account there may differ by."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from dirigent import venues
from dirigent.configuration.settings import Settings, load_settings
from dirigent.connection_status import connection_of
from fsm.commit import Progress
from persistence.store import SqliteStore
from services.exchanges.ccxt_exchange.feeds import FeedStatus, Source
from services.messages import MarketRules
from tests.command_line.running import spawn

BTC = MarketRules("BTC/USDT", Decimal("0.001"), Decimal("0.01"))
BTC_COARSE = MarketRules("BTC/USDC", Decimal("0.01"), Decimal("0.01"))


def settings(mode: str = "paper", exchange: str = "binance") -> Settings:
    pairs = [{"symbol": "BTC/USDT", "strategy": "sma_cross"}]
    overrides = {"mode": mode, "exchange": {"id": exchange}, "pairs": pairs}
    return load_settings((), overrides, {})


def test_a_real_account_may_differ_by_a_step_of_its_coarsest_market_and_by_what_is_configured() -> None:
    allowed = venues.tolerances(settings("live"), {BTC.symbol: BTC, BTC_COARSE.symbol: BTC_COARSE})
    assert allowed == {"BTC": Decimal("0.01"), "USDT": Decimal("0.01"), "USDC": Decimal("0.01")}


def test_what_fills_on_paper_is_compared_to_the_last_digit() -> None:
    assert venues.tolerances(settings(), {BTC.symbol: BTC}) == {}


@pytest.mark.parametrize("command", ["check", "trade"])
@pytest.mark.parametrize(
    ("mode", "exchange", "why"),
    [
        ("paper", "binanze", "there is no exchange 'binanze'; did you mean 'binance'?"),
        ("paper", "xyzzy", "there is no exchange 'xyzzy'"),
        ("live", "binance", "live trading on binance needs keys, and none are named"),
    ],
)
def test_check_refuses_what_trade_refuses(
    tmp_path: Path, command: str, mode: str, exchange: str, why: str
) -> None:
    text = f'mode = "{mode}"\n[exchange]\nid = "{exchange}"\n[[pairs]]\nsymbol = "BTC/USDT"\n'
    (tmp_path / "dirigent.toml").write_text(text)
    flags = ("--live",) if (mode, command) == ("live", "trade") else ()
    done = spawn(command, *flags, directory=tmp_path)
    assert (done.returncode, why in done.stderr) == (2, True), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dirigent.toml"]


def test_a_dry_run_needs_no_key(tmp_path: Path) -> None:
    (tmp_path / "dirigent.toml").write_text('[exchange]\nid = "kraken"\n[[pairs]]\nsymbol = "BTC/EUR"\n')
    done = spawn("check", directory=tmp_path)
    assert done.returncode == 0, done.stderr


class Streaming:
    """As much of a venue as tells of its prices."""

    def feeds(self) -> list[FeedStatus]:
        return [
            FeedStatus("BTC/USDT", Source.STREAM, 31_500, True, 2, "silent for 31.5 s while its price moved"),
            FeedStatus("ETH/USDT", Source.POLLING, 40, False),
            FeedStatus("ADA/USDT", Source.STREAM, None, False),
        ]


async def test_status_says_how_prices_come_in_and_which_do_not(tmp_path: Path) -> None:
    told = connection_of(Streaming())
    assert told["feeds"][0] == {
        "symbol": "BTC/USDT",
        "source": "stream",
        "age_s": 31.5,
        "stale": True,
        "reconnects": 2,
        "fault": "silent for 31.5 s while its price moved",
    }
    database = tmp_path / "dirigent.sqlite"
    with SqliteStore.open(database) as store:
        store.save_progress(Progress(at_ms=1, heartbeat={"at_ms": 1, **told}, feeds=[], checkpoints={}))
    done = spawn("--db", str(database), "status", directory=tmp_path)
    assert "1 polling, 2 stream; 1 stale: BTC/USDT" in done.stdout, done.stderr
    whole = json.loads(spawn("--db", str(database), "status", "--json", directory=tmp_path).stdout)
    assert [feed["age_s"] for feed in whole["feeds"]] == [31.5, 0.04, None]


def test_a_simulated_venue_tells_of_no_feeds() -> None:
    assert connection_of(object()) == {"feeds": []}
