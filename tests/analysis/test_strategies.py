"""Strategies vote once a crossing, at the sample a person would point at, and can say why they did not."""

import json
import random
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.values import Side
from services.indicators import CheckpointError
from services.market_data_analyzer import IndicatorSet
from services.messages import Tick
from services.strategies import sma_cross
from services.strategies.base import Strategy, StrategyError, Vote
from services.strategies.catalogue import create, names, source_hash
from services.strategies.crossing import Crossing


def votes_of(strategy: Strategy, samples: Sequence[float | str]) -> list[tuple[int, str]]:
    """(index of the sample, side) of every vote on a series."""
    indicators = IndicatorSet()
    strategy.bind(indicators)
    votes = []
    for index, sample in enumerate(samples):
        for update in indicators.updates:
            update(float(sample))
        vote = strategy.on_sample(Tick("BTC/USDT", index, Decimal(str(sample))))
        if vote is not None:
            votes.append((index, str(vote.side)))
    return votes


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        # averages of 2 and 4; the first sample that warms the slow one up is index 3
        ([10, 9, 8, 7, 6, 12, 13], [(5, "buy")]),
        ([10, 9, 8, 7, 6, 12, 13, 14, 3, 2], [(5, "buy"), (8, "sell")]),
        ([1, 2, 3, 4, 5, 6, 7], []),
        ([1, 2, 3, 4], []),
        ([5, 5, 5, 5, 5, 9, 9, 9, 9], []),
        ([9, 8, 7, 6, 6, 6, 6, 6, 8], [(8, "buy")]),
        ([9, 8, 7, 6, 6, 6, 6, 6, 5], []),
    ],
    ids=[
        "dip then rise",
        "rise then fall",
        "steady rise never crosses",
        "the first ready sample never votes",
        "out of a flat start no side is left",
        "a touch, then through",
        "a touch, then back",
    ],
)
def test_sma_cross_votes_where_the_averages_cross(
    samples: list[float], expected: list[tuple[int, str]]
) -> None:
    assert votes_of(create("sma_cross", {"fast": 2, "slow": 4}), samples) == expected


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_sma_cross_votes_exactly_once_for_each_change_of_side(samples: list[int]) -> None:
    sides = []
    for end in range(5, len(samples) + 1):
        fast, slow = sum(samples[end - 2 : end]) * 5, sum(samples[end - 5 : end]) * 2
        if fast != slow:
            sides.append((end - 1, "buy" if fast > slow else "sell"))
    expected = [late for early, late in pairwise(sides) if early[1] != late[1]]
    assert votes_of(create("sma_cross", {"fast": 2, "slow": 5}), samples) == expected


def test_rounding_in_a_flat_market_is_no_crossing() -> None:
    draw = random.Random(5)
    samples = ["0.30", *(draw.choice(["0.1", "0.1"]) for _ in range(400))]
    assert votes_of(create("sma_cross"), samples) == []


def test_macd_votes_where_its_histogram_changes_sign() -> None:
    samples = (
        [100.0 - 0.3 * i * i for i in range(12)]
        + [65.0 + 2 * i for i in range(10)]
        + [83.0 - 3 * i for i in range(9)]
    )
    fast, slow, lines, expected = fmean(samples[:3]), fmean(samples[:6]), [], []
    signal = before = 0.0
    for index, sample in enumerate(samples):
        if index >= 3:
            fast += 2 / 4 * (sample - fast)
        if index >= 6:
            slow += 2 / 7 * (sample - slow)
        if index >= 5:
            lines.append(fast - slow)
        if len(lines) == 4:
            signal = fmean(lines)
        elif len(lines) > 4:
            signal += 2 / 5 * (lines[-1] - signal)
        if len(lines) >= 4:
            histogram = lines[-1] - signal
            if histogram * before < 0:
                expected.append((index, "buy" if histogram > 0 else "sell"))
            before = histogram
    assert [side for _, side in expected[-2:]] == ["buy", "sell"]
    assert votes_of(create("macd", {"fast": 3, "slow": 6, "signal": 4}), samples) == expected


def test_a_vote_has_its_numbers() -> None:
    strategy, indicators = create("sma_cross", {"fast": 1, "slow": 2}), IndicatorSet()
    strategy.bind(indicators)
    vote = None
    for sample in (3.0, 2.0, 4.0):
        for update in indicators.updates:
            update(sample)
        vote = strategy.on_sample(Tick("BTC/USDT", 0, Decimal(str(sample))))
    assert vote == Vote(Side.BUY, 1.0, "fast 4 came out above slow 3")


def test_why_not_tells_warm_up_and_sides_with_numbers() -> None:
    strategy = create("sma_cross", {"fast": 1, "slow": 3})
    votes_of(strategy, [3, 2])
    assert strategy.why_not() == "not warmed up: 2 of 3 samples"
    votes_of(strategy, [3, 2, 1])
    assert strategy.why_not() == "fast 1 below slow 2, no crossing"
    macd = create("macd")
    votes_of(macd, range(1, 13))
    assert macd.why_not() == "not warmed up: 12 of 34 samples"
    votes_of(macd, [5] * 40)
    assert macd.why_not() == "no crossing: macd 0 less signal 0 is 0"


@pytest.mark.parametrize(("name", "needed"), [("sma_cross", 20), ("macd", 34), ("external", 0)])
def test_a_strategy_knows_how_many_samples_warm_it_up(name: str, needed: int) -> None:
    assert create(name).samples_needed == needed


def test_external_never_votes() -> None:
    external = create("external")
    assert votes_of(external, [1, 9, 1, 9, 1, 9]) == []
    assert external.why_not() == "signals come from outside only"
    assert external.state() == {}
    with pytest.raises(CheckpointError, match="external keeps no state"):
        external.restore({"side": 1})


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        (
            "sma_cros",
            {},
            "unknown strategy 'sma_cros'; known are external, macd, sma_cross; did you mean sma_cross?",
        ),
        ("zzz", {}, "unknown strategy 'zzz'; known are external, macd, sma_cross"),
        (
            "sma_cross",
            {"fats": 3},
            "sma_cross: unknown parameter fats = 3; it takes fast, slow; did you mean fast?",
        ),
        ("external", {"fast": 3}, "external: unknown parameter fast = 3; it takes none"),
        ("sma_cross", {"fast": "5"}, "sma_cross: fast = '5' is not a whole number from 1 to 9999"),
        ("sma_cross", {"fast": True}, "fast = True is not a whole number"),
        ("sma_cross", {"fast": 5.0}, "fast = 5.0 is not a whole number"),
        ("sma_cross", {"fast": 0}, "fast = 0 is not a whole number from 1"),
        ("sma_cross", {"slow": 10_001}, "slow = 10001 is not a whole number from 2 to 10000"),
        ("sma_cross", {"fast": 20}, "sma_cross: fast = 20 is not below slow = 20"),
        ("macd", {"fast": 30}, "macd: fast = 30 is not below slow = 26"),
        ("macd", {"signal": None}, "macd: signal = None is not a whole number"),
    ],
)
def test_what_cannot_be_made_is_named(name: str, params: dict[str, object], message: str) -> None:
    with pytest.raises(StrategyError) as refusal:
        create(name, params)
    assert message in str(refusal.value)


def test_parameters_default_and_print() -> None:
    assert names() == ["external", "macd", "sma_cross"]
    assert str(create("macd", {"signal": 5})) == "macd(fast=12, slow=26, signal=5)"
    assert create("sma_cross").params == {"fast": 5, "slow": 20}


def test_the_source_hash_is_that_of_the_strategy_file() -> None:
    source = Path(sma_cross.__file__).read_bytes()
    assert source_hash(create("sma_cross")) == sha256(source).hexdigest()[:16]
    assert source_hash(create("macd")) != source_hash(create("sma_cross"))


@given(st.lists(st.floats(-1, 1), max_size=30), st.integers(0, 30))
def test_a_crossing_survives_a_restart(differences: list[float], cut: int) -> None:
    whole, first, second = Crossing(), Crossing(), Crossing()
    expected = [whole.crosses(each, 1.0) for each in differences]
    seen = [first.crosses(each, 1.0) for each in differences[:cut]]
    second.restore(json.loads(json.dumps(first.state())))
    assert seen + [second.crosses(each, 1.0) for each in differences[cut:]] == expected


@pytest.mark.parametrize("side", [2, True, "1", None, 0.0])
def test_a_side_that_is_none_is_refused(side: object) -> None:
    with pytest.raises(CheckpointError, match="side"):
        Crossing().restore({"side": side})


@pytest.mark.parametrize(
    ("side", "strength"), [("hold", 1.0), ("buy", 1.1), ("buy", -0.1), ("buy", float("nan"))]
)
def test_a_vote_outside_its_range_is_refused(side: str, strength: float) -> None:
    with pytest.raises(ValueError, match=r"side|strength"):
        Vote(side, strength, "")  # type: ignore[arg-type]
