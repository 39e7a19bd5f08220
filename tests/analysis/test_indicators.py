"""Indicators equal their textbook definitions, and an interruption anywhere changes not one bit."""

import json
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isnan, log
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indicators import CheckpointError, Ema, Indicator, Macd, Sma, Volatility

MAKERS: dict[str, Callable[[], Indicator]] = {
    "sma(1)": lambda: Sma(1),
    "sma(4)": lambda: Sma(4),
    "ema(5)": lambda: Ema(5),
    "macd(2,4,3)": lambda: Macd(2, 4, 3),
    "volatility(6)": lambda: Volatility(6),
}

prices = st.floats(min_value=1e-6, max_value=1e6)


def random_walk(length: int, seed: int) -> list[float]:
    draw = random.Random(seed)
    price, walk = 0.0737, []
    for _ in range(length):
        price *= 1 + draw.gauss(0, 0.002)
        walk.append(price)
    return walk


def naive_ema(samples: Sequence[float], period: int) -> list[float]:
    """The average after each sample from the `period`-th on."""
    averages = [fmean(samples[:period])]
    for sample in samples[period:]:
        averages.append(averages[-1] + 2 / (period + 1) * (sample - averages[-1]))
    return averages


def numbers_of(indicator: Indicator) -> list[float]:
    return [getattr(indicator, name) for name in ("value", "signal", "histogram") if hasattr(indicator, name)]


@pytest.mark.parametrize("period", [1, 5, 20, 333])
def test_an_sma_does_not_drift_over_a_hundred_thousand_samples(period: int) -> None:
    walk = random_walk(100_000, period)
    sma, worst = Sma(period), 0.0
    for index, sample in enumerate(walk, 1):
        sma.update(sample)
        if index >= period and (index % 97 == 0 or index > 99_000):
            naive = fmean(walk[index - period : index])
            worst = max(worst, abs(sma.value - naive) / naive)
    assert worst < 1e-13


@given(st.lists(prices, min_size=1, max_size=60), st.integers(1, 12))
def test_an_sma_is_the_mean_of_its_window(samples: list[float], period: int) -> None:
    sma = Sma(period)
    for index, sample in enumerate(samples, 1):
        sma.update(sample)
        assert sma.samples == index
        assert sma.ready == (index >= period)
        if sma.ready:
            assert sma.value == pytest.approx(fmean(samples[index - period : index]), rel=1e-9, abs=1e-8)
        else:
            assert isnan(sma.value)


@given(st.lists(prices, min_size=1, max_size=60), st.integers(1, 12))
def test_an_ema_follows_its_recurrence_from_the_mean_of_the_first_samples(
    samples: list[float], period: int
) -> None:
    ema = Ema(period)
    for sample in samples:
        ema.update(sample)
    assert ema.ready == (len(samples) >= period)
    if ema.ready:
        assert ema.value == pytest.approx(naive_ema(samples, period)[-1], rel=1e-12)


def test_a_macd_is_two_emas_and_an_ema_of_their_difference() -> None:
    walk = random_walk(400, 7)
    fast, slow = naive_ema(walk, 12), naive_ema(walk, 26)
    lines = [a - b for a, b in zip(fast[14:], slow, strict=True)]
    signals = naive_ema(lines, 9)
    macd, seen = Macd(12, 26, 9), []
    for index, sample in enumerate(walk, 1):
        macd.update(sample)
        assert macd.ready == (index >= macd.samples_needed)
        if macd.ready:
            seen.append((macd.value, macd.signal, macd.histogram))
    assert macd.samples_needed == 34
    assert len(seen) == len(signals)
    for (value, signal, histogram), line, expected in zip(seen, lines[8:], signals, strict=True):
        assert value == pytest.approx(line, abs=1e-14)
        assert signal == pytest.approx(expected, abs=1e-14)
        assert histogram == pytest.approx(line - expected, abs=1e-14)


@settings(max_examples=60)
@given(st.lists(prices, min_size=1, max_size=50), st.integers(2, 9))
def test_volatility_is_the_sample_deviation_of_the_log_returns(samples: list[float], period: int) -> None:
    volatility = Volatility(period)
    for index, sample in enumerate(samples, 1):
        volatility.update(sample)
        returns = [log(later / earlier) for earlier, later in pairwise(samples[:index])]
        assert volatility.samples == index
        assert volatility.ready == (len(returns) >= period)
        if volatility.ready:
            # A jump of many orders of magnitude leaves its rounding behind for at most one window.
            assert volatility.value == pytest.approx(stdev(returns[-period:]), rel=1e-6, abs=1e-5)


def test_volatility_stays_exact_over_a_long_quiet_market() -> None:
    walk = random_walk(20_000, 3)
    returns = [log(later / earlier) for earlier, later in pairwise(walk)]
    volatility = Volatility(60)
    for index, sample in enumerate(walk):
        volatility.update(sample)
        if index > 60 and index % 101 == 0:
            assert volatility.value == pytest.approx(stdev(returns[index - 60 : index]), rel=1e-9)


def test_a_market_that_stands_still_has_no_volatility() -> None:
    volatility = Volatility(5)
    for _ in range(23):
        volatility.update(0.1)
    assert volatility.value == 0.0


@pytest.mark.parametrize("name", MAKERS)
@given(samples=st.lists(prices, min_size=1, max_size=40), data=st.data())
def test_interrupted_anywhere_it_goes_on_bit_for_bit(
    name: str, samples: list[float], data: st.DataObject
) -> None:
    whole, first = MAKERS[name](), MAKERS[name]()
    cut = data.draw(st.integers(0, len(samples)))
    for sample in samples[:cut]:
        whole.update(sample)
        first.update(sample)
    second = MAKERS[name]()
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    for sample in samples[cut:]:
        whole.update(sample)
        second.update(sample)
        assert [x.hex() for x in numbers_of(second)] == [x.hex() for x in numbers_of(whole)]
    assert (second.state(), second.ready, second.samples) == (whole.state(), whole.ready, whole.samples)
    assert [x.hex() for x in numbers_of(second)] == [x.hex() for x in numbers_of(whole)]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("damage", ["missing", "text", "infinite", "bool"])
def test_a_damaged_state_is_refused_and_changes_nothing(name: str, damage: str) -> None:
    indicator = MAKERS[name]()
    for sample in random_walk(30, 1):
        indicator.update(sample)
    before = indicator.state()
    for field in before:
        bad = dict(before)
        if damage == "missing":
            del bad[field]
        else:
            bad[field] = {"text": "1", "infinite": float("inf"), "bool": True}[damage]
        with pytest.raises(CheckpointError):
            indicator.restore(bad)
        assert indicator.state() == before


def test_a_window_of_another_length_is_refused() -> None:
    sma = Sma(4)
    for sample in (1.0, 2.0, 3.0, 4.0, 5.0):
        sma.update(sample)
    with pytest.raises(CheckpointError, match="expected 3 numbers"):
        Sma(3).restore(sma.state())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sma(0), "a period of 0 is not between 1 and 10000"),
        (lambda: Ema(10_001), "a period of 10001"),
        (lambda: Volatility(1), "a period of 1 is not between 2"),
        (lambda: Macd(26, 12, 9), "the fast period 26 must be below the slow period 12"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(make: Callable[[], Indicator], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
