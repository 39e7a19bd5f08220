"""A start in the middle of faults: what is garbled is asked for again, and an exchange that is silent is named."""

from functools import partial
from pathlib import Path

import pytest

from dirigent import daemon
from dirigent.configuration.settings import Settings, load_settings
from dirigent.proofs.rehearsed.beside import rehearsing
from dirigent.rehearsal.rest import GARBAGE
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from dirigent.running import Limits
from dirigent.venues import Unreachable
from services.exchanges.ccxt_exchange.client import open_clients
from services.resumption import resume

BALANCE = "GET /api/v3/account"
MARKETS = "GET /api/v3/exchangeInfo"


@pytest.mark.parametrize("kind", range(len(GARBAGE)))
async def test_markets_are_asked_for_again_after_a_garbled_answer(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Rehearsal(RehearsalSettings(ticks_per_s=0)) as server:
        monkeypatch.setattr(server.venue.faults, "one_in", lambda _: kind)
        server.arm("garbage_success", on=MARKETS)
        clients = await open_clients("binance", server.ccxt_options() | {"rateLimit": 1})
        try:
            assert set(clients.queries.markets) == set(clients.orders.markets) == set(server.settings.symbols)
        finally:
            await clients.close()
        assert server.audit()["requests"][MARKETS] == 2


def settings_on(server: Rehearsal, directory: Path) -> Settings:
    overrides = {
        "mode": "live",
        "database": str(directory / "engine.sqlite"),
        "exchange": {"id": "binance", "options": server.ccxt_options()},
        "pairs": [{"symbol": "BTC/USDT", "strategy": "external"}],
    }
    return load_settings((), overrides, {})


def test_a_start_outlasts_a_wait_that_the_exchange_asks_for(tmp_path: Path) -> None:
    with rehearsing(RehearsalSettings()) as beside:
        beside.do(lambda server: server.arm("rate_limited", on=BALANCE))
        settings = settings_on(beside.server, tmp_path)
        assert daemon.run(settings, Limits(ticks=1), live=True) == 0
        assert beside.audit["faults"] == {"rate_limited": 1}


def test_a_start_without_a_balance_ends_with_a_reason_and_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "resume", partial(resume, patience_s=0.1))
    with rehearsing(RehearsalSettings()) as beside:
        beside.do(lambda server: server.arm("lost_response", times=100, on=BALANCE))
        settings = settings_on(beside.server, tmp_path)
        with pytest.raises(
            Unreachable, match=r"binance did not answer at the start \(balance: .*nothing new"
        ):
            daemon.run(settings, Limits(ticks=1), live=True)
        assert beside.audit["orders"]["accepted"] == 0
