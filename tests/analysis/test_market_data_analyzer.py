"""Every price is checked at the door; what passes moves the market's view, what does not changes nothing."""

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isnan, log
from statistics import stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indicators import CheckpointError, Ema, Macd, Sma
from services.market_data_analyzer import MarketDataAnalyzer
from services.messages import BadTick, Tick

NOW_MS = 1_700_000_000_000
PAIR = "BTC/USDT"


class HandClock:
    def __init__(self, at_ms: int = NOW_MS) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


def ticker(last: object = "43210.12", at_ms: object = NOW_MS, **others: object) -> dict[str, Any]:
    return {"symbol": PAIR, "timestamp": at_ms, "last": last, "info": {}, **others}


def analyzer_of_one_pair(clock: HandClock | None = None, period: int = 3) -> MarketDataAnalyzer:
    analyzer = MarketDataAnalyzer(clock or HandClock(), volatility_period=period)
    analyzer.add_symbol(PAIR)
    return analyzer


def without(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


# fmt: off
BAD: dict[str, tuple[Any, str]] = {
    "a list":              (["BTC/USDT"],                         "a ticker is a mapping, got"),
    "nothing":             (None,                                 "a ticker is a mapping, got None"),
    "unknown symbol":      (ticker(symbol="DOGE/USDT"),           "symbol 'DOGE/USDT' is not one of BTC"),
    "no symbol":           (without(ticker(), "symbol"),          "symbol None is not one of"),
    "a list for a symbol": (ticker(symbol=[PAIR]),                "is not one of BTC/USDT"),
    "no price":            (without(ticker(), "last"),            "no price: neither last nor close"),
    "price None":          (ticker(None, close=None),             "no price"),
    "negative price":      (ticker("-1.5"),                       "last '-1.5' is not above zero"),
    "negative float":      (ticker(-1.5),                         "last -1.5 is not above zero"),
    "zero price":          (ticker("0"),                          "last '0' is not above zero"),
    "zero int":            (ticker(0),                            "last 0 is not above zero"),
    "zero close":          (ticker(None, close="0.00"),           "close '0.00' is not above zero"),
    "NaN text":            (ticker("NaN"),                        "last 'NaN' is not finite"),
    "NaN float":           (ticker(float("nan")),                 "last nan is not finite"),
    "signalling NaN":      (ticker(Decimal("sNaN")),              "is not finite"),
    "infinite text":       (ticker("Infinity"),                   "last 'Infinity' is not finite"),
    "infinite float":      (ticker(float("-inf")),                "last -inf is not finite"),
    "absurdly large":      (ticker("1e400"),                      "is not between 1E-100 and 1E+100"),
    "absurdly small":      (ticker("1e-400"),                     "is not between 1E-100 and 1E+100"),
    "words":               (ticker("forty"),                      "last 'forty' is not a number"),
    "empty text":          (ticker(""),                           "last '' is not a number"),
    "bool price":          (ticker(True),                         "last True is not a number but bool"),
    "list price":          (ticker(["1"]),                        "is not a number but list"),
    "bytes price":         (ticker(b"1"),                         "is not a number but bytes"),
    "time missing":        (without(ticker(), "timestamp"),       "timestamp is missing"),
    "time as bool":        (ticker(at_ms=True),                   "timestamp True is not a whole number"),
    "time as text":        (ticker(at_ms="1700000000000"),        "is not a whole number"),
    "time as float":       (ticker(at_ms=NOW_MS + 0.5),           "is not a whole number"),
    "whole float time":    (ticker(at_ms=float(NOW_MS)),          "is not a whole number"),
    "time of the past":    (ticker(at_ms=NOW_MS - 5_001),         "is of the past: 1 ms before"),
    "time of the future":  (ticker(at_ms=NOW_MS + 60_001),        "is of the future: 60001 ms ahead"),
    "negative time":       (ticker(at_ms=-1),                     "is of the past"),
    "bid above ask":       (ticker(bid="2", ask="1.9"),           "bid '2' is above ask '1.9'"),
    "zero bid":            (ticker(bid="0", ask="1.9"),           "bid '0' is not above zero"),
    "NaN ask":             (ticker(bid="1", ask="NaN"),           "ask 'NaN' is not finite"),
    "infinite ask alone":  (ticker(ask="Infinity"),               "ask 'Infinity' is not finite"),
    "negative bid alone":  (ticker(bid=-3),                       "bid -3 is not above zero"),
    "bool ask":            (ticker(bid="1", ask=True),            "ask True is not a number but bool"),
}
# fmt: on


@pytest.mark.parametrize("case", BAD)
def test_a_bad_tick_is_refused_by_name_and_changes_nothing(case: str) -> None:
    data, message = BAD[case]
    analyzer = analyzer_of_one_pair()
    analyzer.indicators(PAIR).need(Sma, 2)
    analyzer.observe(ticker("43000", NOW_MS - 5_000, bid="42999", ask="43001"))
    view = analyzer.market(PAIR)
    before = (analyzer.checkpoint(PAIR), view.bid, view.ask, view.spread)
    with pytest.raises(BadTick) as refusal:
        analyzer.observe(data)
    assert message in str(refusal.value)
    assert (analyzer.checkpoint(PAIR), view.bid, view.ask, view.spread) == before


@pytest.mark.parametrize(
    ("given_price", "expected"),
    [
        ("0.00005330", "0.00005330"),
        (43210, "43210"),
        (Decimal("1.10"), "1.10"),
        (0.1, "0.1"),
        (1e-8, "1e-08"),
        ("123456789.123456789123456789", "123456789.123456789123456789"),
    ],
)
def test_a_price_keeps_every_digit(given_price: object, expected: str) -> None:
    tick = analyzer_of_one_pair().observe(ticker(given_price))
    assert str(tick.last) == str(Decimal(expected))


def test_a_tick_says_what_the_ticker_said() -> None:
    tick = analyzer_of_one_pair().observe(ticker("5", bid="4.9", ask="5.1"))
    assert tick == Tick(PAIR, NOW_MS, Decimal(5), Decimal("4.9"), Decimal("5.1"), True)


def test_close_stands_in_for_a_missing_last() -> None:
    assert analyzer_of_one_pair().observe(ticker(None, close="7")).last == 7


def test_no_timestamp_means_the_time_of_receipt_and_never_goes_back() -> None:
    clock = HandClock()
    analyzer = analyzer_of_one_pair(clock)
    assert analyzer.observe(ticker(at_ms=None)).at_ms == NOW_MS
    clock.at_ms -= 700
    assert analyzer.observe(ticker(at_ms=None)).at_ms == NOW_MS


def test_several_ticks_may_share_a_millisecond() -> None:
    analyzer = analyzer_of_one_pair()
    analyzer.observe(ticker("1"))
    assert analyzer.observe(ticker("2")).at_ms == NOW_MS
    assert analyzer.market(PAIR).samples == 2


def test_the_tolerance_for_the_future_moves_with_the_clock() -> None:
    clock = HandClock()
    analyzer = analyzer_of_one_pair(clock)
    analyzer.observe(ticker(at_ms=NOW_MS + 60_000))
    with pytest.raises(BadTick, match="future"):
        analyzer.observe(ticker(at_ms=NOW_MS + 60_001))
    clock.at_ms += 1
    assert analyzer.observe(ticker(at_ms=NOW_MS + 60_001)).at_ms == NOW_MS + 60_001


def test_a_point_inside_a_bar_moves_the_price_and_no_indicator() -> None:
    analyzer = analyzer_of_one_pair()
    sma = analyzer.indicators(PAIR).need(Sma, 1)
    analyzer.observe(ticker("100"))
    tick = analyzer.observe(ticker("50", NOW_MS + 1, info={"sample": False}))
    view = analyzer.market(PAIR)
    assert not tick.is_sample
    assert (view.last, view.at_ms, view.samples, view.jump, sma.value) == (
        Decimal(50),
        NOW_MS + 1,
        1,
        0.0,
        100.0,
    )
    assert analyzer.observe(ticker("110", NOW_MS + 2, info={"sample": True})).is_sample
    assert (view.samples, sma.value) == (2, 110.0)
    assert view.jump == pytest.approx(0.1)


@pytest.mark.parametrize("info", [None, [], "raw", {}, {"sample": None}, {"sample": 0}])
def test_only_an_explicit_false_marks_a_point_that_is_no_sample(info: object) -> None:
    assert analyzer_of_one_pair().observe(ticker(info=info)).is_sample


def test_the_view_knows_spread_jump_and_volatility() -> None:
    analyzer = analyzer_of_one_pair()
    view = analyzer.market(PAIR)
    assert (view.last, view.at_ms, view.spread, view.jump, view.samples) == (Decimal(0), 0, 0.0, 0.0, 0)
    assert isnan(view.volatility)
    samples = [100.0, 80.0, 88.0, 90.0]
    for sample in samples:
        analyzer.observe(ticker(sample, bid="99", ask="101"))
        if sample == 80.0:
            assert view.jump == pytest.approx(0.2)
    assert view.spread == pytest.approx(0.02)
    assert view.volatility == pytest.approx(stdev([log(0.8), log(1.1), log(90 / 88)]))
    analyzer.observe(ticker("90", bid="89"))
    assert view.spread == 0.0


def test_the_age_of_a_price_is_told_by_the_clock() -> None:
    clock = HandClock()
    analyzer = analyzer_of_one_pair(clock)
    assert analyzer.age_ms(PAIR) is None
    analyzer.observe(ticker(at_ms=NOW_MS - 250))
    clock.at_ms += 1_000
    assert analyzer.age_ms(PAIR) == 1_250


def test_two_who_need_the_same_indicator_share_it_until_the_last_releases_it() -> None:
    analyzer = analyzer_of_one_pair()
    indicators = analyzer.indicators(PAIR)
    first, second, other = indicators.need(Sma, 5), indicators.need(Sma, 5), indicators.need(Sma, 6)
    assert first is second
    assert first is not other
    count = len(indicators.updates)
    indicators.release(first)
    assert len(indicators.updates) == count
    indicators.release(second)
    assert len(indicators.updates) == count - 1
    assert indicators.need(Sma, 5) is not first
    with pytest.raises(KeyError):
        indicators.release(second)


def test_symbols_do_not_touch_each_other() -> None:
    analyzer = analyzer_of_one_pair()
    analyzer.add_symbol("ETH/USDT")
    analyzer.observe(ticker("10"))
    before = analyzer.checkpoint("ETH/USDT")
    analyzer.observe(ticker("11"))
    assert analyzer.checkpoint("ETH/USDT") == before
    assert analyzer.add_symbol(PAIR) is analyzer.market(PAIR)
    assert analyzer.market(PAIR).samples == 2


def observe_all(analyzer: MarketDataAnalyzer, tickers: list[dict[str, Any]]) -> None:
    for data in tickers:
        analyzer.observe(data)


def warm_analyzer() -> MarketDataAnalyzer:
    analyzer = analyzer_of_one_pair()
    for kind, periods in ((Sma, (3,)), (Ema, (4,)), (Macd, (2, 3, 2))):
        analyzer.indicators(PAIR).need(kind, *periods)
    return analyzer


@given(
    st.lists(st.decimals("0.01", "9999", places=2), min_size=1, max_size=30),
    st.integers(0, 30),
)
def test_a_checkpoint_anywhere_goes_on_as_if_never_interrupted(values: list[Decimal], cut: int) -> None:
    tickers = [ticker(str(value), NOW_MS - 1_000 + i) for i, value in enumerate(values)]
    whole, first, second = warm_analyzer(), warm_analyzer(), warm_analyzer()
    observe_all(whole, tickers)
    observe_all(first, tickers[:cut])
    second.restore(PAIR, json.loads(json.dumps(first.checkpoint(PAIR), allow_nan=False)))
    observe_all(second, tickers[cut:])
    assert second.checkpoint(PAIR) == whole.checkpoint(PAIR)
    assert second.market(PAIR).jump == whole.market(PAIR).jump
    assert second.market(PAIR).last == whole.market(PAIR).last


def test_an_indicator_that_the_checkpoint_lacks_starts_cold() -> None:
    old, new = analyzer_of_one_pair(), analyzer_of_one_pair()
    shared = new.indicators(PAIR).need(Sma, 2)
    added = new.indicators(PAIR).need(Sma, 3)
    old.indicators(PAIR).need(Sma, 2)
    old.indicators(PAIR).need(Sma, 9)
    observe_all(old, [ticker("1"), ticker("2"), ticker("3")])
    new.restore(PAIR, old.checkpoint(PAIR))
    assert (shared.value, added.samples) == (2.5, 0)


def damaged(checkpoint: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    return {**checkpoint, name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last", "NaN"),
        ("last", None),
        ("last", "-1"),
        ("at_ms", 1.5),
        ("samples", -1),
        ("sample_price", "x"),
        ("sample_price", float("nan")),
        ("indicators", None),
        ("indicators", {"volatility(3)": {}}),
        ("indicators", {"volatility(3)": 5}),
        ("indicators", {"sma(3)": {"samples": 1, "window": [], "total": 0.0}}),
    ],
)
def test_a_damaged_checkpoint_is_refused_whole(name: str, value: object) -> None:
    source, target = warm_analyzer(), warm_analyzer()
    observe_all(source, [ticker("5"), ticker("6")])
    observe_all(target, [ticker("7")])
    before = target.checkpoint(PAIR)
    with pytest.raises(CheckpointError, match=PAIR):
        target.restore(PAIR, damaged(source.checkpoint(PAIR), name, value))
    assert target.checkpoint(PAIR) == before
