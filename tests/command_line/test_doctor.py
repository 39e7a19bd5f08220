"""The command `doctor`, over the paper exchange and over a rehearsal exchange through the real ccxt client."""

import asyncio
import json
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from dirigent.configuration.sample import literal
from dirigent.doctor import examination
from dirigent.logging_secrets import forget_secrets
from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from services.exchanges.ccxt_exchange.client import Clients, open_clients
from tests.command_line.running import document, invoke, spawn

PAIR = '[[pairs]]\nsymbol = "BTC/USDT"\nstop_loss = "0.02"\n'


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Any:
    yield
    forget_secrets()


def configured(
    directory: Path, server: Rehearsal, *, more: str = "", pairs: str = PAIR, mode: str = "live"
) -> Path:
    options = server.ccxt_options()
    keys = directory / "keys.toml"
    keys.write_text(f'apiKey = "{options["apiKey"]}"\nsecret = "{options["secret"]}"\n')
    keys.chmod(0o600)
    file = directory / "dirigent.toml"
    file.write_text(
        f'mode = "{mode}"\n[exchange]\nid = "binance"\nkey_file = "{keys}"\n{more}'
        f"[exchange.options]\nurls = {literal(options['urls'])}\n{pairs}"
    )
    return file


async def examined(file: Path, *arguments: str) -> Result:
    """Beside the server's own event loop."""
    return await asyncio.to_thread(invoke, "-c", file, "doctor", *arguments)


async def report(file: Path, exit_code: int = 0) -> dict[str, Any]:
    result = await examined(file, "--json")
    assert result.exit_code == exit_code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def check(found: dict[str, Any], name: str) -> dict[str, str]:
    (one,) = (check for check in found["checks"] if check["name"] == name)
    return dict(one)


SETTINGS = RehearsalSettings(ticks_per_s=20)


async def test_an_exchange_that_can_be_traded_on_is_told_whole(tmp_path: Path) -> None:
    async with Rehearsal(SETTINGS) as server:
        file = configured(tmp_path, server)
        found = await report(file)
        said = await examined(file)
    assert found["can_trade"] is True
    assert {one["name"]: one["verdict"] for one in found["checks"]} == dict.fromkeys(
        (
            "keys",
            "reachable",
            "protocol",
            "latency",
            "clock",
            "key permissions",
            "balance",
            "prices",
            "order reports",
            "market BTC/USDT",
        ),
        "ok",
    )
    assert found["capabilities"]["client_id_as"] == "clientOrderId"
    assert found["capabilities"]["looks_up"][0] == "by client id"
    assert 0 < found["latency"]["round_trip_ms_p50"] <= found["latency"]["round_trip_ms_max"]
    assert abs(found["latency"]["clock_ahead_ms"]) < 1000
    (market,) = found["markets"]
    assert market["symbol"] == "BTC/USDT"
    assert float(market["amount_step"]) > 0
    assert float(market["cost_min"]) > 0
    assert 0 < float(market["price_min"]) < float(market["price"]) < float(market["price_max"])
    assert all(name in said.stdout for name in ("amount_min", "cost_min", "price_min", "price_max"))
    assert (market["maker"], market["taker"]) == ("0.001", "0.001")
    assert "stream" in check(found, "prices")["found"]
    assert said.exit_code == 0
    assert "it can trade" in said.stdout
    for secret in (SETTINGS.api_key, SETTINGS.secret):
        assert secret not in said.output + json.dumps(found)


async def test_a_key_that_may_withdraw_is_warned_of(tmp_path: Path) -> None:
    async with Rehearsal(replace(SETTINGS, may_withdraw=True)) as server:
        found = await report(configured(tmp_path, server))
    one = check(found, "key permissions")
    assert one["verdict"] == "warning"
    assert "withdraws: yes" in one["found"]
    assert "take the permission to withdraw" in one["remedy"]


async def test_a_clock_that_is_wrong_is_measured(tmp_path: Path) -> None:
    async with Rehearsal(replace(SETTINGS, chaos=Chaos(clock_skew_ms=4000))) as server:
        found = await report(configured(tmp_path, server))
    one = check(found, "clock")
    assert one["verdict"] == "warning"
    assert 3500 < abs(found["latency"]["clock_ahead_ms"]) < 4500
    assert "NTP" in one["remedy"]


async def test_a_clock_by_which_every_price_is_stale_is_a_fault(tmp_path: Path) -> None:
    async with Rehearsal(replace(SETTINGS, chaos=Chaos(clock_skew_ms=-60_000))) as server:
        found = await report(configured(tmp_path, server), exit_code=1)
    one = check(found, "clock")
    assert one["verdict"] == "fault"
    assert "every price would count as stale" in one["found"]
    assert found["can_trade"] is False


async def test_keys_that_the_exchange_refuses_are_a_fault(tmp_path: Path) -> None:
    async with Rehearsal(SETTINGS) as server:
        file = configured(tmp_path, server)
        (tmp_path / "keys.toml").write_text(
            'apiKey = "fake-key-of-nobody"\nsecret = "fake-secret-of-nobody"\n'
        )
        found = await report(file, exit_code=1)
    assert check(found, "balance")["verdict"] == check(found, "order reports")["verdict"] == "fault"
    assert "AuthenticationError" in check(found, "order reports")["found"], "it was tried"
    for name in ("balance", "key permissions"):
        assert check(found, name)["found"].startswith("AuthenticationError"), "said once what it is about"
    assert found["can_trade"] is False
    assert "fake-secret-of-nobody" not in json.dumps(found)


async def test_a_credential_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with Rehearsal(SETTINGS) as server:
        file = configured(tmp_path, server)
        (tmp_path / "keys.toml").write_text('apiKey = "fake-key-of-nobody"\n')
        found = await report(file, exit_code=1)
    assert "demands secret" in check(found, "missing keys")["found"]
    _was_not_tried(found, "secret")


async def test_markets_that_are_not_listed_and_deals_that_are_too_small_are_faults(tmp_path: Path) -> None:
    pairs = (
        '[[pairs]]\nsymbol = "BTC/USDT"\ndeal_quota = "1"\n'
        '[[pairs]]\nsymbol = "ETH/USDT"\ndeal_quota = "5.01"\nstop_loss = "0.1"\n'
        '[[pairs]]\nsymbol = "NONE/USDT"\n'
    )
    async with Rehearsal(SETTINGS) as server:
        result = await examined(configured(tmp_path, server, pairs=pairs), "--json")
    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert check(found, "market BTC/USDT")["verdict"] == "fault"
    assert "raise deal_quota" in check(found, "market BTC/USDT")["remedy"]
    assert check(found, "market ETH/USDT")["verdict"] == "warning"
    assert "not listed" in check(found, "market NONE/USDT")["found"]


async def test_an_exchange_that_does_not_answer_is_a_fault(tmp_path: Path) -> None:
    async with Rehearsal(SETTINGS) as server:
        file = configured(tmp_path, server)
    found = await report(file, exit_code=1)
    assert check(found, "reachable")["verdict"] == "fault"


async def test_without_keys_live_trading_is_a_fault_and_a_dry_run_is_not(tmp_path: Path) -> None:
    async with Rehearsal(SETTINGS) as server:
        live = configured(tmp_path, server)
        text = "".join(line for line in live.read_text().splitlines(keepends=True) if "key_file" not in line)
        live.write_text(text)
        found = await report(live, exit_code=1)
        assert check(found, "keys")["verdict"] == "fault"
        _was_not_tried(found, "keys")
        live.write_text(text.replace('mode = "live"', 'mode = "paper"'))
        found = await report(live)
    assert check(found, "keys")["verdict"] == "ok"
    _was_not_tried(found, "on paper")


def _was_not_tried(found: dict[str, Any], why: str) -> None:
    one = check(found, "order reports")
    assert one["verdict"] == "untold"
    assert "not tried" in one["found"]
    assert why in one["found"]


async def test_keys_that_a_dry_run_does_not_need_may_be_incomplete(tmp_path: Path) -> None:
    async with Rehearsal(SETTINGS) as server:
        file = configured(tmp_path, server, mode="paper")
        (tmp_path / "keys.toml").write_text('apiKey = "fake-key-of-nobody"\n')
        found = await report(file)
    assert check(found, "missing keys")["verdict"] == "warning"
    _was_not_tried(found, "on paper")


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "silent"])
async def test_a_stream_of_orders_that_cannot_be_had_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_refused: bool
) -> None:
    """Nobody listens at its address; or something does that takes the connection and never says a word."""
    monkeypatch.setattr("dirigent.doctor.order_reports.SUBSCRIBED_WITHIN_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if is_refused:
            silent.close()
        async with Rehearsal(SETTINGS) as server:
            file = configured(tmp_path, server)
            here = server.ccxt_options()["urls"]["api"]["ws"]["ws-api"]["spot"]
            file.write_text(file.read_text().replace(here, f"ws://127.0.0.1:{port}/ws-api/v3"))
            began_s = time.monotonic()
            said = await examined(file, "--json")
            assert time.monotonic() - began_s < 10
        found = json.loads(said.stdout)
        assert said.exit_code == 1
        assert said.stderr == "", "what was tried is told as findings"
    one = check(found, "order reports")
    assert one["verdict"] == "fault"
    assert "not streamed" in one["found"]
    assert "asks for them instead" in one["found"], "what the engine would do"
    assert one["remedy"]
    assert check(found, "balance")["verdict"] == "ok"


async def test_a_symbol_that_is_not_listed_says_nothing_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an exchange that does not tell its time, the round trip is that of a price: of a market that there is."""
    pairs = f'[[pairs]]\nsymbol = "NONE/USDT"\n{PAIR}'

    async def opened(*arguments: Any) -> Clients:
        clients = await open_clients(*arguments)
        clients.queries.has["fetchTime"] = False
        return clients

    monkeypatch.setattr(examination, "open_clients", opened)
    async with Rehearsal(SETTINGS) as server:
        file = configured(tmp_path, server, pairs=pairs)
        found = await report(file, exit_code=1)
        assert check(found, "latency")["verdict"] == "ok"
        assert check(found, "clock")["verdict"] == "untold"
        assert [one["name"] for one in found["checks"] if one["verdict"] == "fault"] == ["market NONE/USDT"]
        file.write_text(file.read_text().replace(PAIR, ""))
        found = await report(file, exit_code=1)
    assert check(found, "latency")["verdict"] == "untold"
    assert [one["name"] for one in found["checks"] if one["verdict"] == "fault"] == ["market NONE/USDT"]


def test_the_paper_exchange_is_told_from_its_configuration(tmp_path: Path) -> None:
    found = document("doctor", "--json")
    assert found["can_trade"] is True
    assert found["capabilities"]["lacks"] == []
    assert [market["symbol"] for market in found["markets"]] == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert list(tmp_path.iterdir()) == []


def test_paper_balances_without_the_quote_currency_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "dirigent.toml").write_text('[paper]\nbalances = { EUR = "10" }\n')
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "no USDT" in result.stdout


def test_an_unknown_exchange_and_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(f'[exchange]\nid = "binanse"\n{PAIR}')
    wrong = spawn("-c", tmp_path / "one.toml", "doctor", directory=tmp_path)
    assert wrong.returncode == 2
    assert "binance" in wrong.stderr
    keys = tmp_path / "keys.toml"
    keys.write_text('apiKey = "fake-api-key"\nsecret = "fake-secret"\n')
    keys.chmod(0o644)
    (tmp_path / "two.toml").write_text(f'[exchange]\nid = "binance"\nkey_file = "{keys}"\n{PAIR}')
    open_to_all = spawn("-c", tmp_path / "two.toml", "doctor", directory=tmp_path)
    assert open_to_all.returncode == 2
    assert "chmod 600" in open_to_all.stderr
