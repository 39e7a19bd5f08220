"""A signal from outside is checked at the door, and is offered while it is new and fresh."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from fsm.values import Side
from services.messages import BadSignal, Signal
from tests.analysis.aggregation_by_hand import NOW_MS, PAIR, service_of

AT = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
AT_MS = 1_709_294_400_000


@pytest.mark.parametrize(
    "at",
    [
        AT,
        AT_MS,
        "2024-03-01T12:00:00Z",
        "2024-03-01T14:00:00+02:00",
        AT.astimezone(timezone(timedelta(hours=-5))),
    ],
)
def test_a_signal_from_outside_may_say_its_time_in_three_ways(at: object) -> None:
    data = {"id": "x1", "symbol": PAIR, "strength": Decimal("0.25"), "reason": "mine", "at": at}
    expected = Signal("x1", PAIR, "buy", 0.25, "mine", AT_MS, AT_MS + 30_000)
    assert service_of().parse(data, Side.BUY) == expected


def test_a_signal_from_outside_needs_only_id_and_symbol() -> None:
    expected = Signal("x1", PAIR, "sell", 1.0, "", NOW_MS, NOW_MS + 30_000)
    assert service_of().parse({"id": "x1", "symbol": PAIR}, "sell") == expected


def test_milliseconds_of_a_signal_are_kept() -> None:
    data = {"id": "x1", "symbol": PAIR, "at": "2024-03-01T12:00:00.123Z", "expires_at": AT_MS + 124}
    signal = service_of().parse(data, Side.BUY)
    assert (signal.at_ms, signal.expires_at_ms) == (AT_MS + 123, AT_MS + 124)


# fmt: off
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None},                          "id: None is not a text"),
        ({"id": ""},                            "id: '' is not 1 to 200 characters"),
        ({"id": "x" * 201},                     "is not 1 to 200 characters"),
        ({"id": 7},                             "id: 7 is not a text"),
        ({"symbol": "DOGE/USDT"},               "symbol: 'DOGE/USDT' is not one of BTC/USDT"),
        ({"symbol": None},                      "symbol: None is not a text"),
        ({"strength": 1.01},                    "strength: 1.01 is not a number from 0 to 1"),
        ({"strength": -0.1},                    "strength: -0.1 is not a number from 0 to 1"),
        ({"strength": float("nan")},            "strength: nan"),
        ({"strength": True},                    "strength: True"),
        ({"strength": "0.5"},                   "strength: '0.5'"),
        ({"strength": [1]},                     "strength: [1]"),
        ({"reason": 5},                         "reason: 5 is not a text"),
        ({"at": "yesterday"},                   "at: 'yesterday' is not an RFC 3339 time"),
        ({"at": "2024-03-01T12:00:00"},         "does not say its offset from UTC"),
        ({"at": "2024-03-01"},                  "does not say its offset from UTC"),
        ({"at": AT.replace(tzinfo=None)},       "does not say its offset from UTC"),
        ({"at": 1.5},                           "at: 1.5 is not a time"),
        ({"at": True},                          "at: True is not a time"),
        ({"at": -1},                            "at: -1 is not a time"),
        ({"at": 10**18},                        "is not a time"),
        ({"expires_at": AT},                    "expires_at:"),
        ({"expires_at": "never"},               "expires_at: 'never' is not an RFC 3339 time"),
        ({"side": "sell"},                      "side: 'sell' was handed in as a buy signal"),
        ({"strenght": 1},                       "strenght: unknown field; known are id"),
    ],
)
def test_a_bad_signal_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    data = {"id": "x1", "symbol": PAIR, "at": AT, **change}
    with pytest.raises(BadSignal) as refusal:
        service_of().parse(data, Side.BUY)
    assert message in str(refusal.value)
# fmt: on


def test_what_is_missing_or_no_mapping_is_named() -> None:
    with pytest.raises(BadSignal, match="id: is missing"):
        service_of().parse({"symbol": PAIR}, Side.BUY)
    with pytest.raises(BadSignal, match="a signal is a mapping"):
        service_of().parse(["x"], Side.BUY)  # type: ignore[arg-type]


def test_a_misspelt_field_is_told_its_nearest_name() -> None:
    with pytest.raises(BadSignal, match="did you mean expires_at"):
        service_of().parse({"id": "x", "symbol": PAIR, "expire_at": 5}, Side.BUY)


def signal_of(at_ms: int, expires_at_ms: int) -> Signal:
    return Signal("x1", PAIR, "buy", 1.0, "", at_ms, expires_at_ms)


@pytest.mark.parametrize(
    ("at_ms", "expires_at_ms", "holds", "because"),
    [
        (NOW_MS, NOW_MS + 1, True, "1 ms left"),
        (NOW_MS - 9, NOW_MS, False, "it expired 0 ms ago"),
        (NOW_MS - 9, NOW_MS - 5, False, "it expired 5 ms ago"),
        (NOW_MS + 60_000, NOW_MS + 90_000, True, "90000 ms left"),
        (NOW_MS + 60_001, NOW_MS + 90_000, False, "it is dated 60001 ms ahead, tolerance 60000 ms"),
    ],
)
def test_a_signal_is_fresh_until_it_expires(
    at_ms: int, expires_at_ms: int, holds: bool, because: str
) -> None:
    verdict = service_of().signal_is_fresh(signal_of(at_ms, expires_at_ms), NOW_MS)
    assert (verdict.guard, verdict.holds, verdict.because) == ("signal_is_fresh", holds, because)


def test_a_signal_is_new_until_the_archive_knows_its_id() -> None:
    signal = signal_of(NOW_MS, NOW_MS + 1)
    new, old = service_of().signal_is_new(signal), service_of(offered="x1").signal_is_new(signal)
    assert (new.guard, new.holds, new.because) == ("signal_is_new", True, "signal x1 was not offered before")
    assert (old.guard, old.holds, old.because) == ("signal_is_new", False, "signal x1 was offered before")
