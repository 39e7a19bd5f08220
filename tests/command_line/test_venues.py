"""Which exchange a configuration means, and what an account there may differ by."""

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest

from dirigent import venues
from dirigent.configuration.settings import Settings, load_settings
from dirigent.connection_status import connection_of
from fsm.commit import Progress
from persistence.store import SqliteStore
from services.exchanges.ccxt_exchange.breaker import BreakerStatus, Circuit
from services.exchanges.ccxt_exchange.feeds import FeedStatus, Source
from services.exchanges.ccxt_exchange.library import demanded_credentials, exchange_class, known_ids
from services.exchanges.ccxt_exchange.order_stream import OrderStreamStatus
from services.exchanges.ccxt_exchange.precision import needs_price
from services.messages import MarketRules
from tests.command_line.running import spawn
from tests.exchanges.ccxt_exchange.scripted import exchange as scripted_exchange
from tests.fresh_process import printed
from tests.settings.key_files import ED25519, pem, private

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


@pytest.mark.parametrize("command", ["check", "trade"])
@pytest.mark.parametrize("table", ["exchange.options", "exchange.options.options"])
def test_an_option_that_repeats_orders_is_refused_before_anything_is_asked(
    tmp_path: Path, command: str, table: str
) -> None:
    text = f'[exchange]\nid = "binance"\n[{table}]\nmaxRetriesOnFailure = 3\n[[pairs]]\nsymbol = "BTC/USDT"\n'
    (tmp_path / "dirigent.toml").write_text(text)
    done = spawn(command, directory=tmp_path)
    assert (done.returncode, f"{table}.maxRetriesOnFailure" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("command", ["check", "trade", "doctor"])
def test_an_option_that_cannot_be_right_is_refused_before_anything_is_asked(
    tmp_path: Path, command: str
) -> None:
    table = '[exchange]\nid = "binance"\n[exchange.options.options]\nrecvWindow = "x"\n'
    (tmp_path / "dirigent.toml").write_text(f'{table}[[pairs]]\nsymbol = "BTC/USDT"\n')
    done = spawn(command, directory=tmp_path)
    assert done.returncode == 2, done.stderr
    assert 'exchange.options.options.recvWindow = "x" is not a whole number' in done.stderr
    assert "write it as such as 5000" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dirigent.toml"]


INCOMPLETE = {
    "only a private key": ('private_key_file = "id.pem"\n', {}, "apiKey"),
    "only half a file": ('key_file = "keys.toml"\n', {}, "secret"),
    "only one variable": ('key_variables = "FAKE"\n', {"FAKE_API_KEY": "planted-fake-key"}, "FAKE_SECRET"),
    "only one option": ('options = { apiKey = "planted-fake-key" }\n', {}, "secret"),
    "a pass phrase that only some demand": (
        'id = "kucoin"\noptions = { apiKey = "planted-fake-key", secret = "planted-fake-secret" }\n',
        {},
        "password",
    ),
}


@pytest.mark.parametrize("command", ["check", "trade"])
@pytest.mark.parametrize("name", INCOMPLETE)
def test_keys_that_are_incomplete_are_refused_before_anything_is_asked(
    tmp_path: Path, command: str, name: str
) -> None:
    section, variables, missing = INCOMPLETE[name]
    private(tmp_path / "id.pem", pem(ED25519))
    private(tmp_path / "keys.toml", 'apiKey = "planted-fake-key"\n')
    named = section if section.startswith("id") else f'id = "binance"\n{section}'
    text = f'mode = "live"\n[exchange]\n{named}[[pairs]]\nsymbol = "BTC/USDT"\n'
    (tmp_path / "dirigent.toml").write_text(text)
    before = {path.name for path in tmp_path.iterdir()}
    flags = ("--live",) if command == "trade" else ()
    done = spawn(command, *flags, directory=tmp_path, environment=variables)
    assert done.returncode == 2, done.stderr
    assert "incomplete" in done.stderr
    assert missing in done.stderr, "what is missing"
    for place in ("key_file", "keyring", "key_variables"):
        assert place in done.stderr, "where it may stand"
    assert "planted" not in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before


def test_what_an_exchange_demands_is_read_without_importing_its_library() -> None:
    script = (
        "import sys\nfrom services.exchanges.ccxt_exchange.library import demanded_credentials\n"
        "print(demanded_credentials('binance'), [name for name in sys.modules if name.startswith('ccxt')])"
    )
    assert printed(script) == "('apiKey', 'secret') []\n"


def test_what_is_read_of_every_exchange_is_what_ccxt_says_of_it() -> None:
    for exchange_id in known_ids():
        demanded = exchange_class(exchange_id)().requiredCredentials
        said = tuple(name for name, is_needed in demanded.items() if is_needed)
        assert set(demanded_credentials(exchange_id)) == set(said), exchange_id


def test_check_warns_of_keys_in_the_configuration_with_the_remedy_and_without_the_keys(
    tmp_path: Path,
) -> None:
    keys = 'apiKey = "planted-fake-key"\nsecret = "planted-fake-secret"'
    text = f'mode = "live"\n[exchange]\nid = "binance"\n[exchange.options]\n{keys}\n[[pairs]]\nsymbol = "BTC/USDT"\n'
    (tmp_path / "dirigent.toml").write_text(text)
    done = spawn("check", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "name a key_file, a keyring or key_variables instead" in done.stderr
    assert "planted" not in done.stdout + done.stderr
    assert done.stderr.count("event=keys_in_configuration") == 1


async def test_prices_that_are_not_told_at_the_start_are_a_failure_that_may_pass() -> None:
    """Of exchanges whose price steps depend on the price."""
    async with scripted_exchange("bitfinex", {"public": "", "private": ""}) as at:
        assert needs_price(at.clients.queries.precisionMode)
        at.clients.queries.markets["BTC/USDT"]["precision"] = {"amount": "8", "price": "5"}
        with pytest.raises(venues.Refused, match="did you mean BTC/USDT"):
            await venues._refuse_unlisted(at.account, at.clients, ["BTC/USDD"])
        with pytest.raises(venues.Unreachable, match="price of BTC/USDT"):
            await venues._refuse_unlisted(at.account, at.clients, ["BTC/USDT"])


def test_a_dry_run_needs_no_key(tmp_path: Path) -> None:
    (tmp_path / "dirigent.toml").write_text('[exchange]\nid = "kraken"\n[[pairs]]\nsymbol = "BTC/EUR"\n')
    done = spawn("check", directory=tmp_path)
    assert done.returncode == 0, done.stderr


class Streaming:
    """As much of a venue as tells of its prices."""

    def feeds(self) -> list[FeedStatus]:
        return [
            FeedStatus("BTC/USDT", Source.STREAM, 31_500, True, 2, "silent for 31.5 s while its price moved"),
            FeedStatus("ETH/USDT", Source.POLLING, 40, False, 3, "", 2, 1_700_000_000_000),
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
        "stalls_cured": 0,
        "cured_at_ms": None,
    }
    database = tmp_path / "dirigent.sqlite"
    with SqliteStore.open(database) as store:
        at_ms = int(time.time() * 1000)
        store.save_progress(Progress(at_ms, {"at_ms": at_ms, **told}, feeds=[], checkpoints={}))
        done = spawn("--db", str(database), "status", directory=tmp_path)
        whole = json.loads(spawn("--db", str(database), "status", "--json", directory=tmp_path).stdout)
    assert (
        "1 polling, 2 stream; 1 stale: BTC/USDT; 2 stalls cured, the last of ETH/USDT at 2023-11-14T22:13:20.000Z"
    ) in done.stdout, done.stderr
    assert [feed["age_s"] for feed in whole["feeds"]] == [31.5, 0.04, None]
    assert [feed["cured_at"] for feed in whole["feeds"]] == [None, "2023-11-14T22:13:20.000Z", None]


class Linked(Streaming):
    """As much of a venue as tells of its account's connection."""

    def __init__(self, breaker: BreakerStatus) -> None:
        self._breaker = breaker

    def order_stream_status(self) -> OrderStreamStatus:
        return OrderStreamStatus("polling", False, 4, "the connection was closed")

    def breaker_status(self) -> BreakerStatus:
        return self._breaker


@pytest.mark.parametrize(
    ("breaker", "words"),
    [
        (BreakerStatus(Circuit.CLOSED), "closed"),
        (
            BreakerStatus(Circuit.OPEN, "DDoSProtection: banned", 1_700_000_000_000, True),
            "open until 2023-11-14T22:13:20.000Z: DDoSProtection: banned",
        ),
        (BreakerStatus(Circuit.HALF_OPEN, "RequestTimeout"), "half-open: RequestTimeout"),
    ],
    ids=["closed", "open", "half-open"],
)
def test_status_says_whether_requests_go_out_and_how_order_reports_come_in(
    tmp_path: Path, breaker: BreakerStatus, words: str
) -> None:
    database = tmp_path / "dirigent.sqlite"
    with SqliteStore.open(database) as store:
        at_ms = int(time.time() * 1000)
        heartbeat = {"at_ms": at_ms, **connection_of(Linked(breaker))}
        store.save_progress(Progress(at_ms, heartbeat=heartbeat, feeds=[], checkpoints={}))
        done = spawn("--db", str(database), "status", directory=tmp_path)
        whole = json.loads(spawn("--db", str(database), "status", "--json", directory=tmp_path).stdout)
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert (told["circuit"], told["order_stream"]) == (words, "polling: the connection was closed")
    is_open = breaker.until_ms is not None
    assert whole["circuit"]["open_until"] == ("2023-11-14T22:13:20.000Z" if is_open else None)


def test_a_simulated_venue_tells_of_no_feeds() -> None:
    assert connection_of(object()) == {"feeds": []}
