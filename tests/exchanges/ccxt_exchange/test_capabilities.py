"""The table of exchanges against what ccxt says of them, the guess for the rest, and the refusal by name."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.capabilities import (
    KNOWN,
    Cancel,
    CannotTrade,
    Capabilities,
    Source,
    Trades,
    capabilities_of,
    refuse_what_is_lacking,
)
from services.exchanges.ccxt_exchange.client import make_clients
from services.exchanges.ccxt_exchange.library import UnknownExchange, refuse_unknown

_METHODS = {
    Source.CLIENT_ID: "fetchOrder",
    Source.OPEN: "fetchOpenOrders",
    Source.CLOSED: "fetchClosedOrders",
    Source.ENDED: "fetchCanceledAndClosedOrders",
    Source.ALL: "fetchOrders",
    Source.TRADES: "fetchMyTrades",
}


def test_the_eight_are_known() -> None:
    assert set(KNOWN) == {"binance", "kraken", "coinbase", "bybit", "okx", "kucoin", "gate", "bitget"}


@pytest.mark.parametrize("exchange_id", KNOWN)
def test_a_known_exchange_has_every_method_that_its_row_relies_on(exchange_id: str) -> None:
    exchange = library.exchange_class(exchange_id)()
    row = capabilities_of(exchange)
    refuse_what_is_lacking(row)
    assert row.is_known
    for source in row.sources:
        assert exchange.has[_METHODS[source]], source
    trades = "fetchOrderTrades" if row.trades in (Trades.OF_ORDER, Trades.BY_TRADE_IDS) else "fetchMyTrades"
    assert exchange.has[trades]
    assert (row.ticker_stream, row.order_stream, row.order_book, row.stop_orders) == (True,) * 4
    assert row.has_window is ("recvWindow" in exchange.options)


def in_the_documents(row: Capabilities) -> str:
    named = f"`{row.create_as}`" + (f", as `{row.prefix}...`" if row.prefix else "")
    window = f"{row.window_ms // 1000} s" if row.has_window else f"none, taken as {row.window_ms // 1000} s"
    sources = ", ".join(row.sources)
    cells = (row.exchange_id, named, sources, row.cancel, row.trades, row.market_buy, window)
    return f"| {' | '.join(cells)} |"


def test_the_documents_show_the_table_as_it_is() -> None:
    page = (Path(__file__).parents[3] / "docs/exchanges.md").read_text()
    rows = {in_the_documents(capabilities_of(library.exchange_class(name)())) for name in KNOWN}
    shown = {line for line in page.splitlines() if line.startswith(tuple(f"| {name} |" for name in KNOWN))}
    assert shown == rows


def test_an_exchange_that_nobody_described_is_asked_cautiously() -> None:
    exchange = library.exchange_class("mexc")()
    row = capabilities_of(exchange)
    assert not row.is_known
    assert (row.cancel, Source.CLIENT_ID in row.sources) == (Cancel.EXCHANGE_ID, False)
    assert set(row.sources) & {Source.ALL, Source.CLOSED, Source.ENDED}
    assert row.window_ms >= 5_000
    refuse_what_is_lacking(row)


class Other:
    """An exchange that ccxt says little of."""

    id = "other"
    options: Mapping[str, Any] = {}

    def __init__(self, **has: object) -> None:
        self.has = has

    def create_order(self) -> str:
        return "clientOrderId"

    def parse_order(self) -> str:
        return "clientOrderId"


WHOLE: dict[str, object] = {
    "createOrder": True,
    "cancelOrder": True,
    "fetchOpenOrders": True,
    "fetchOrders": True,
    "fetchBalance": True,
    "fetchMyTrades": True,
    "fetchTicker": True,
}


def test_an_exchange_with_the_least_that_is_needed_can_trade() -> None:
    refuse_what_is_lacking(capabilities_of(Other(**WHOLE)))


@pytest.mark.parametrize("missing", WHOLE)
def test_each_missing_method_is_named_in_the_refusal(missing: str) -> None:
    for value in (False, None, "emulated"):
        with pytest.raises(CannotTrade, match=missing):
            refuse_what_is_lacking(capabilities_of(Other(**{**WHOLE, missing: value})))


def test_an_exchange_that_never_heard_of_client_ids_is_refused() -> None:
    class Nameless(Other):
        def create_order(self) -> str:
            return ""

    with pytest.raises(CannotTrade, match="clientOrderId"):
        refuse_what_is_lacking(capabilities_of(Nameless(**WHOLE)))


def test_most_of_ccxts_exchanges_are_judged_without_a_surprise() -> None:
    judged = [
        capabilities_of(library.exchange_class(name)()) for name in ("bitstamp", "bingx", "woo", "mexc")
    ]
    assert all(row.exchange_id and isinstance(row.lacks, tuple) for row in judged)


def test_a_misspelt_id_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownExchange, match="did you mean 'binance'"):
        refuse_unknown("binanse")


def test_options_are_merged_as_they_stand() -> None:
    clients = make_clients(
        "binance",
        {"timeout": 1234, "urls": {"api": {"public": "http://127.0.0.1:1"}}, "options": {"recvWindow": 3000}},
    )
    for exchange in (clients.orders, clients.queries, clients.market_data):
        assert exchange.timeout == 1234
        assert exchange.urls["api"]["public"] == "http://127.0.0.1:1"
        assert exchange.urls["api"]["sapi"].startswith("https://")
        assert (exchange.options["recvWindow"], exchange.options["defaultType"]) == (3000, "spot")
        assert exchange.number is str
    assert len({id(clients.orders), id(clients.queries), id(clients.market_data)}) == 3


def test_the_sandbox_is_the_exchanges_own() -> None:
    clients = make_clients("binance", {"sandbox": True})
    assert "testnet" in clients.orders.urls["api"]["private"]


def test_numbers_of_a_shared_key_only_grow() -> None:
    clients = make_clients("kraken", {})
    numbers = [exchange.nonce() for exchange in (clients.orders, clients.queries, clients.orders)]
    assert numbers == sorted(set(numbers))


def test_nothing_imports_ccxt_before_an_exchange_is_opened() -> None:
    code = (
        "import sys; import services.exchanges.ccxt_exchange.connector as c;"
        "from services.exchanges.ccxt_exchange.library import known_ids, refuse_unknown;"
        "refuse_unknown('kraken'); assert len(known_ids()) > 90;"
        "assert not any(name.partition('.')[0] == 'ccxt' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
