"""Which options of an exchange are refused before anything is asked, and that all others reach ccxt as they stand."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.capabilities import KNOWN
from services.exchanges.ccxt_exchange.client import make_clients
from services.exchanges.ccxt_exchange.options import (
    CREDENTIALS,
    RECV_WINDOW_MS_MAX,
    BadOptions,
    refuse_bad_options,
)

WINDOW = "is not a whole number of milliseconds from 1 to 60000"
BAD: list[tuple[dict[str, Any], str]] = [
    ({"options": {"recvWindow": "x"}}, f'exchange.options.options.recvWindow = "x" {WINDOW}'),
    ({"options": {"recvWindow": "5000"}}, f'recvWindow = "5000" {WINDOW}'),
    ({"options": {"recvWindow": 0}}, f"recvWindow = 0 {WINDOW}"),
    ({"options": {"recvWindow": -5}}, f"recvWindow = -5 {WINDOW}"),
    ({"options": {"recvWindow": 100_000}}, f"recvWindow = 100000 {WINDOW}"),
    ({"options": {"recvWindow": 5000.0}}, f"recvWindow = 5000.0 {WINDOW}"),
    ({"options": {"recvWindow": True}}, f"recvWindow = true {WINDOW}"),
    ({"timeout": "abc"}, 'exchange.options.timeout = "abc" is not a number of milliseconds above zero'),
    ({"timeout": 0}, "timeout = 0 is not a number of milliseconds above zero"),
    ({"timeout": float("inf")}, "timeout = inf is not a number of milliseconds above zero"),
    ({"rateLimit": -5}, "exchange.options.rateLimit = -5 is not a number of milliseconds above zero"),
    ({"rate_limit": -5}, "exchange.options.rate_limit = -5 is not a number of milliseconds above zero"),
    ({"sandbox": "true"}, 'exchange.options.sandbox = "true" is not true or false'),
    ({"options": {"sandbox": 1}}, "exchange.options.options.sandbox = 1 is not true or false"),
    ({"enableRateLimit": "no"}, 'enableRateLimit = "no" is not true or false'),
    ({"urls": "http://127.0.0.1"}, "exchange.options.urls is not a table"),
    ({"options": 5}, "exchange.options.options is not a table"),
    ({"httpProxy": 8080}, "exchange.options.httpProxy is not text"),
    ({"options": {"defaultType": "future"}}, 'defaultType = "future" is not the kind of market'),
    ({"options": {"adjustForTimeDifference": "yes"}}, 'adjustForTimeDifference = "yes" is not true or false'),
    ({"options": {"timeDifference": "1 s"}}, 'timeDifference = "1 s" is not a number of milliseconds'),
    ({"apikey": "fake-planted"}, "exchange.options.apikey is not known to ccxt; did you mean apiKey?"),
    ({"api_key": "fake-planted"}, "did you mean apiKey? Keys have places of their own: exchange.key_file"),
    ({"secert": "fake-planted"}, "exchange.options.secert is not known to ccxt; did you mean secret?"),
    ({"TIMEOUT": "5000"}, "exchange.options.TIMEOUT is not known to ccxt; did you mean timeout?"),
    ({"ratelimit": 5}, "did you mean rateLimit?"),
    ({"option": {}}, "did you mean options?"),
    ({"options": {"recvWidow": 5}}, "options.recvWidow is not known to ccxt; did you mean recvWindow?"),
    ({"recvWindow": 3000}, "exchange.options.recvWindow has no effect there; write it in [exchange.options.options]"),
    ({"options": {"timeout": 5}}, "options.options.timeout has no effect there; write it in [exchange.options]"),
    ({"a": {"b": {"maxRetriesOnFailure": 1}}}, "exchange.options.a.b.maxRetriesOnFailure is not used"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "why"), BAD, ids=[why[-40:] for _, why in BAD])
def test_what_cannot_be_right_is_refused_by_name_before_an_exchange_is_made(
    options: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadOptions) as refused:
        make_clients("binance", options)
    assert why in str(refused.value)
    assert "planted" not in str(refused.value)


@settings(max_examples=15)
@given(window_ms=st.integers(1, RECV_WINDOW_MS_MAX))
def test_a_window_that_is_taken_is_the_one_that_lateness_is_counted_from(window_ms: int) -> None:
    for exchange_id in ("binance", "bybit"):
        clients = make_clients(exchange_id, {"options": {"recvWindow": window_ms}})
        assert clients.recv_window_ms == clients.orders.options["recvWindow"] == window_ms


@pytest.mark.parametrize("exchange_id", ["bitstamp", "woo"])
def test_a_window_given_to_an_exchange_that_has_none_shortens_nothing(exchange_id: str) -> None:
    """It never reads the option: a request may be late for as long as without."""
    without = make_clients(exchange_id, {})
    clients = make_clients(exchange_id, {"options": {"recvWindow": 1}})
    assert not clients.capabilities.has_window
    assert clients.recv_window_ms == without.recv_window_ms == 30_000


def test_where_no_window_is_read_any_value_goes_to_the_constructor() -> None:
    clients = make_clients("kraken", {"options": {"recvWindow": "x"}})
    assert clients.orders.options["recvWindow"] == "x"
    assert clients.recv_window_ms == 30_000


def own_names(exchange: Any) -> list[str]:
    """What its constructor can be told: the attributes of its class that are no methods."""
    return [
        name
        for name in {*dir(type(exchange)), *exchange.describe()}
        if not name.startswith("_") and not callable(getattr(type(exchange), name, None))
    ]


def refusals(options: Mapping[str, Any], exchange_id: str) -> str:
    try:
        refuse_bad_options(options, exchange_id)
    except BadOptions as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("exchange_id", [*KNOWN, "mexc", "bitvavo", "backpack"])
async def test_no_name_of_ccxts_own_is_taken_for_a_mistake_and_none_of_its_defaults(exchange_id: str) -> None:
    exchange = library.exchange_class(exchange_id)()
    for name in own_names(exchange):
        assert "did you mean" not in refusals({name: None}, exchange_id)
        assert "no effect" not in refusals({name: None}, exchange_id)
    described = exchange.describe()
    kept = {name: value for name, value in described.items() if value is not None and name != "hostname"}
    spot = {**exchange.options, "defaultType": "spot"}
    assert refusals({**kept, "options": spot}, exchange_id) == ""
    assert set(CREDENTIALS) == set(exchange.requiredCredentials)


async def test_every_other_option_reaches_ccxt_as_it_stands() -> None:
    strange = {
        "userAgent": "mine",
        "anything": [1, "2"],
        "options": {"strange": {"deep": 0}},
        "verify": False,
    }
    clients = make_clients("binance", strange)
    for exchange in (clients.orders, clients.queries, clients.market_data):
        assert (exchange.userAgent, exchange.anything, exchange.verify) == ("mine", [1, "2"], False)
        assert exchange.options["strange"] == {"deep": 0}
    await asyncio.gather(clients.close())
