"""The allow-list over every exception that ccxt has, and what a Retry-After means."""

from email.utils import formatdate
from types import MappingProxyType
from typing import Any

import pytest

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.instance import Answer
from services.exchanges.ccxt_exchange.outcomes import Fate, fate_of_create, quiet_ms, says_duplicate, words_of

SURE = {
    "InsufficientFunds",
    "InvalidOrder",
    "BadRequest",
    "BadSymbol",
    "OrderImmediatelyFillable",
    "MarketClosed",
    "PermissionDenied",
    "AccountNotEnabled",
    "AccountSuspended",
    "ArgumentsRequired",
    "NotSupported",
    "InvalidNonce",
}


def every_error() -> list[Any]:
    module = library.errors()
    return [getattr(module, name) for name in module.__all__ if name != "error_hierarchy"]


def answered(status: int = 400, **headers: str) -> Answer:
    return Answer(requests=1, writes=1, status=status, headers=MappingProxyType(headers))


def test_only_what_is_on_the_list_is_a_refusal() -> None:
    refused = {
        kind.__name__
        for kind in every_error()
        if fate_of_create(kind("why"), answered(), posts=True) is Fate.REFUSED
    }
    assert refused == SURE


def test_what_is_not_ccxts_is_never_a_refusal_once_something_left() -> None:
    for error in (ValueError("x"), KeyError("id"), TimeoutError(), OSError("x"), AttributeError("get")):
        assert fate_of_create(error, answered(), posts=True) is Fate.UNKNOWN


def test_what_never_left_is_refused_whatever_was_raised() -> None:
    nothing = Answer()
    assert fate_of_create(ValueError("no key"), nothing, posts=True) is Fate.REFUSED
    assert fate_of_create(library.errors().ExchangeError("x"), nothing) is Fate.REFUSED
    asked_first = Answer(requests=1, writes=0, status=503)
    assert fate_of_create(library.errors().NetworkError("x"), asked_first, posts=True) is Fate.REFUSED


def test_where_it_is_not_known_how_orders_travel_a_request_may_have_carried_one() -> None:
    asked = Answer(requests=1, writes=0, status=503)
    assert fate_of_create(library.errors().NetworkError("x"), asked) is Fate.UNKNOWN
    assert fate_of_create(ValueError("x"), Answer()) is Fate.UNKNOWN


@pytest.mark.parametrize("kind", ["DDoSProtection", "RateLimitExceeded"])
def test_turned_away_at_the_door_is_a_refusal_by_its_status_alone(kind: str) -> None:
    error = getattr(library.errors(), kind)("slow down")
    assert [fate_of_create(error, answered(status)) for status in (429, 418)] == [Fate.REFUSED] * 2
    assert [fate_of_create(error, answered(status)) for status in (200, 400, 503)] == [Fate.UNKNOWN] * 3


@pytest.mark.parametrize(
    "message",
    [
        "binance Duplicate order sent.",
        "OrderLinkedID is duplicate",
        "Duplicated client order ID",
        "clientOid already exists",
    ],
)
def test_a_duplicate_is_looked_up_whatever_class_it_comes_as(message: str) -> None:
    for kind in ("InvalidOrder", "BadRequest", "DuplicateOrderId"):
        error = getattr(library.errors(), kind)(message)
        assert says_duplicate(error)
        assert fate_of_create(error, answered(), posts=True) is Fate.UNKNOWN


@pytest.mark.parametrize(
    ("status", "headers", "wait_ms"),
    [
        (429, {"Retry-After": "7"}, 7_000),
        (418, {"retry-after": "120"}, 120_000),
        (429, {}, 5_000),
        (418, {}, 60_000),
        (418, {"Retry-After": "soon"}, 60_000),
        (429, {"Retry-After": formatdate(1_700_000_030, usegmt=True)}, 30_000),
        (429, {"Retry-After": formatdate(1_600_000_000, usegmt=True)}, 0),
        (503, {"Retry-After": "7"}, None),
        (200, {}, None),
    ],
)
def test_how_long_the_exchange_asked_to_be_left_alone(
    status: int, headers: dict[str, str], wait_ms: int | None
) -> None:
    assert quiet_ms(answered(status, **headers), 1_700_000_000_000) == wait_ms


def test_words_carry_no_query_string_and_no_novel() -> None:
    error = library.errors().NetworkError("GET https://x/api?timestamp=1&signature=abc 502 " + "x" * 5_000)
    assert "signature" not in words_of(error)
    assert len(words_of(error)) < 400


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "binance GET https://x/api 503 Service Unavailable <html>\r\n<head><title>503 Service Unavailable"
            "</title></head>\r\n<body><center><h1>503</h1></center></body></html>",
            "binance GET https://x/api 503 Service Unavailable",
        ),
        (
            'kraken <!DOCTYPE html><html lang="en"><head><style>b{}</style><title>Just a moment&hellip;</title>',
            "kraken Just a moment…",
        ),
        ("502 <html><body><h1>Bad Gateway</h1><p>sorry</p></body></html>", "502 Bad Gateway"),
        ("<html><body>nothing told</body></html>", "a page without a title"),
        ('gate <?xml version="1.0"?><Error><Code>SlowDown</Code></Error>', "gate"),
        ('binance {"msg": "1 < 2, and\n3 > 2"}', 'binance {"msg": "1 < 2, and 3 > 2"}'),
        ("red \x1b[31malert\x07", "red [31malert"),
    ],
)
def test_of_an_error_page_its_title_is_told_in_one_line(said: str, words: str) -> None:
    told = words_of(library.errors().ExchangeNotAvailable(said))
    assert told == f"ExchangeNotAvailable: {words}"
