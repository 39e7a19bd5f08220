"""`dirigent exchange` as a process: it says where it is, serves, is told to stop, and reckons."""

import json
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from dirigent.command_line import main
from dirigent.configuration.settings import load_settings
from dirigent.rehearsal.running import _why

_PATIENCE_S = 20


@contextmanager
def _running(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process, and the line in which it says where it listens."""
    words = [sys.executable, "-m", "dirigent.command_line", "exchange", "--port", "0", "--json", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def _asked(url: str, method: str = "GET", **query: str) -> Any:
    with urlopen(Request(f"{url}?{urlencode(query)}", method=method), timeout=_PATIENCE_S) as answer:
        return json.load(answer)


def test_it_serves_until_it_is_told_to_stop_and_then_reckons() -> None:
    with _running("--balance", "usdt=5000", "--ticks-per-s", "0") as (process, where):
        url = where["url"]
        assert url == f"http://127.0.0.1:{where['port']}"
        assert "BTCUSDT" in {row["symbol"] for row in _asked(f"{url}/api/v3/exchangeInfo")["symbols"]}
        moved = _asked(f"{url}/rehearsal/price", "POST", symbol="BTC/USDT", last="61234.5")
        assert moved == {"symbol": "BTC/USDT", "last": "61234.5"}
        assert _asked(f"{url}/api/v3/ticker/price", symbol="BTCUSDT")["price"] == "61234.50000000"
        armed = _asked(f"{url}/rehearsal/fault", "POST", name="garbage", on="GET /api/v3/time")
        assert armed == {"armed": "garbage", "times": 1}
        assert _asked(f"{url}/rehearsal/orders") == []
        live = _asked(f"{url}/rehearsal/audit")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=_PATIENCE_S)
        assert (process.returncode, err) == (0, "")
        final = json.loads(out)
        assert final["balances"]["USDT"]["total"] == live["balances"]["USDT"]["total"] == "5000"
        assert (final["duplicates"], final["faults_in_the_books"]) == ([], [])
        assert final["requests"]["GET /api/v3/exchangeInfo"] == 1


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("fault", {"name": "nothing"}, "no such fault"),
        ("fault", {"name": "stall", "on": "GET /"}, "no such request"),
        ("fault", {"name": "stall", "times": "0"}, "times"),
        ("price", {"symbol": "NO/PE", "last": "1"}, "no such market"),
        ("price", {"symbol": "BTC/USDT", "last": "much"}, "is not a price"),
    ],
)
def test_what_a_person_asks_wrongly_is_explained(
    path: str, query: dict[str, str], words: str, served: str
) -> None:
    with pytest.raises(HTTPError) as refusal:
        _asked(f"{served}/rehearsal/{path}", "POST", **query)
    with refusal.value as answer:
        assert answer.code == 400
        assert words in json.load(answer)["error"]


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with _running() as (_process, where):
        yield str(where["url"])


def test_the_section_it_prints_is_one_that_the_engine_reads(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["exchange", "--port", "0", "--duration", "0.2"])
    assert result.exit_code == 0, result.output
    begin, end = result.stdout.index("[exchange]"), result.stdout.index("audit\n")
    file = tmp_path / "dirigent.toml"
    file.write_text(result.stdout[begin:end], encoding="utf-8")
    with file.open("a", encoding="utf-8") as more:
        more.write('\n[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = "sma_cross"\n')
    written = tomllib.loads(file.read_text(encoding="utf-8"))["exchange"]
    assert written["options"]["urls"]["api"]["ws"]["spot"].endswith("/stream/ws")
    settings = load_settings([str(file)], {})
    assert settings.exchange.id == "binance"
    assert settings.exchange.options["options"]["fetchMarkets"] == {"types": ["spot"]}
    assert "books         add up" in result.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--fault", "lost_respons=1"], "did you mean 'lost_response'?"),
        (["--symbol", "btcusdt"], "is not a spot market"),
        (["--balance", "USDT"], "is not COIN=AMOUNT"),
        (["--balance", "USDT=-1"], "is not a number of at least 0"),
        (["--fee", "2"], "fee 2 is not a fraction"),
        (["--latency-ms", "5", "1"], "latency_ms (5, 1)"),
        (["--chaos", "none.toml"], "no such file; name a TOML file of faults"),
        (["--public-key", "none.pem"], "none.pem cannot be read"),
        (["--public-key", __file__], "the public key is no PEM of one"),
        (["--ticks-per-s", "20000"], "ticks_per_s 20000.0 is not between 0 and 10000"),
        (["--ticks-per-s", "nan"], "'nan' is not a finite number"),
        (["--duration", "nan"], "'nan' is not a finite number"),
        (["--duration", "inf"], "'inf' is not a finite number"),
        (["--balance", "USDT=1", "--balance", "usdt=2"], "USDT is given twice, as 1 and as 2"),
        (["--balance", "USDT=1", "--balance", "USDT=1"], "USDT is given twice"),
        (["--fault", "stall=1", "--fault", "stall=0"], "given twice"),
        (["--fee-coin", "B-N"], "'B-N' is not a coin"),
        (["--host", "a..b"], "a..b:0 cannot be listened on (no name of a machine)"),
    ],
)
def test_bad_options_are_refused_before_anything_listens(words: list[str], told: str) -> None:
    result = CliRunner().invoke(main, ["exchange", "--port", "0", *words])
    assert result.exit_code == 2
    assert told in result.output
    assert "listening" not in result.output


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::0", "0"])
def test_what_is_printed_of_every_address_is_one_that_another_machine_can_ask(host: str) -> None:
    """A socket that is bound to all addresses has none of its own."""
    if ":" in host and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    words = ["exchange", "--port", "0", "--duration", "0.2", "--host", host]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    begin, end = result.stdout.index("[exchange]"), result.stdout.index("audit\n")
    api = tomllib.loads(result.stdout[begin:end])["exchange"]["options"]["urls"]["api"]
    hosts = {
        urlsplit(url).hostname for url in (api["public"], api["ws"]["spot"], api["ws"]["ws-api"]["spot"])
    }
    (printed,) = hosts
    assert printed
    assert printed == socket.gethostname() or not ip_address(printed).is_unspecified
    assert "every address of this machine" in result.stderr
    assert "127.0.0.1" in result.stderr, "and what serves on this machine itself"
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout.splitlines()[0])
    assert urlsplit(found["url"]).hostname == printed


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::", 0))
    except OSError:
        return False
    return True


def test_a_name_that_is_not_found_is_said_in_words() -> None:
    assert _why(socket.gaierror(-2, "Name or service not known")) == "name or service not known"


def test_the_coin_that_pays_fees_may_be_written_small() -> None:
    words = ["--port", "0", "--duration", "0.2", "--fee-coin", "bnb", "--balance", "bnb=1", "--json"]
    result = CliRunner().invoke(main, ["exchange", *words])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1])["balances"].keys() == {"BNB"}


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["exchange", "--port", str(port)])
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} cannot be listened on (address already in use)" in result.output
