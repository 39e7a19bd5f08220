"""Votes become one weighted, explained signal, and silence has a reason."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.values import Side
from services.indicators import CheckpointError, Sma
from services.messages import Signal, Tick
from services.signal_aggregation import SignalAggregationService, StrategyFailed, WeightedStrategy
from services.strategies.base import IndicatorSource, Strategy, StrategyError, Vote
from services.strategies.catalogue import create
from tests.analysis.aggregation_by_hand import NOW_MS, PAIR, service_of


class Scripted(Strategy):
    """Votes what it was told, sample by sample; an exception in the script is raised."""

    name = "scripted"

    def __init__(self, *script: object) -> None:
        super().__init__()
        self.script = list(script)
        self.params = {"number": len(script)}
        self.asked = 0

    def bind(self, indicators: IndicatorSource) -> None:
        self.sma = indicators.need(Sma, 2)

    @property
    def samples_needed(self) -> int:
        return 0

    def on_sample(self, tick: Tick) -> Vote | None:
        self.asked += 1
        step = self.script[self.asked - 1]
        if isinstance(step, Exception):
            raise step
        return step  # type: ignore[return-value]

    def why_not(self) -> str:
        return f"asked {self.asked} times"


BUY, SELL = Vote(Side.BUY, 1.0, "up"), Vote(Side.SELL, 1.0, "down")


def feed(service: SignalAggregationService, price: float | str, at_ms: int = NOW_MS) -> Signal | None:
    return service.evaluate(
        service.analyzer.observe({"symbol": PAIR, "timestamp": at_ms, "last": str(price)})
    )


def feed_all(service: SignalAggregationService, prices: list[float], start: int = 0) -> list[Signal]:
    signals = (feed(service, price, NOW_MS - 1_000 + start + i) for i, price in enumerate(prices))
    return [signal for signal in signals if signal is not None]


@pytest.mark.parametrize(
    ("weighted_votes", "threshold", "expected"),
    [
        ([(1, BUY)], 0.5, ("buy", 1.0)),
        ([(1, SELL)], 0.5, ("sell", 1.0)),
        ([(1, BUY), (1, None)], 0.5, ("buy", 0.5)),
        ([(1, BUY), (1.5, None)], 0.5, None),
        ([(1, BUY), (1, SELL)], 0.5, None),
        ([(3, BUY), (1, SELL)], 0.5, ("buy", 0.5)),
        ([(1, BUY), (3, SELL)], 0.6, None),
        ([(1, BUY), (5, SELL)], 0.6, ("sell", 4 / 6)),
        ([(2, Vote(Side.BUY, 0.3, "")), (1, Vote(Side.BUY, 0.9, ""))], 0.5, ("buy", 0.5)),
        ([(1, None), (1, None)], 0.5, None),
    ],
)
def test_the_weighted_score_decides(
    weighted_votes: list[tuple[float, Vote | None]], threshold: float, expected: tuple[str, float] | None
) -> None:
    panel = []
    for place, (weight, vote) in enumerate(weighted_votes):
        panel.append(WeightedStrategy(Scripted(vote, *[None] * place), weight))
    signal = feed(service_of(*panel, threshold=threshold), 100)
    if expected is None:
        assert signal is None
    else:
        assert signal is not None
        assert signal.side == expected[0]
        assert signal.strength == pytest.approx(expected[1])


def test_external_does_not_dilute_the_votes_beside_it() -> None:
    panel = (WeightedStrategy(create("external"), 9), WeightedStrategy(Scripted(BUY), 1))
    signal = feed(service_of(*panel), 100)
    assert signal is not None
    assert signal.strength == 1.0


def test_a_signal_explains_itself() -> None:
    service = service_of(WeightedStrategy(create("sma_cross", {"fast": 1, "slow": 2}), 2.5))
    (signal,) = feed_all(service, [3, 2, 4])
    assert signal == Signal(
        id=f"{PAIR}:buy:{NOW_MS - 998}:3",
        symbol=PAIR,
        side="buy",
        strength=1.0,
        reason="score +1 at threshold 0.5: "
        "sma_cross(fast=1, slow=2) buy 1 x weight 2.5: fast 4 came out above slow 3",
        at_ms=NOW_MS - 998,
        expires_at_ms=NOW_MS - 998 + 30_000,
    )
    assert service.why_not(PAIR).startswith("the last sample gave a signal, score +1: sma_cross")


def test_silence_has_a_reason_strategy_by_strategy() -> None:
    service = service_of(
        WeightedStrategy(create("sma_cross")), WeightedStrategy(Scripted(None, SELL), 2), threshold=0.9
    )
    assert service.why_not("XRP/USDT") == "no strategy is configured"
    feed(service, 100)
    assert service.why_not(PAIR) == (
        "sma_cross(fast=5, slow=20): not warmed up: 1 of 20 samples; scripted(number=2): asked 1 times"
    )
    feed(service, 101)
    assert service.why_not(PAIR) == (
        "score -0.667 is short of threshold 0.9: sma_cross(fast=5, slow=20): not warmed up: 2 of 20 samples; "
        "scripted(number=2) sell 1 x weight 2: down"
    )


def test_a_strategy_that_raises_gives_no_signal_and_hides_no_sample_from_the_others() -> None:
    broken, other = Scripted(ZeroDivisionError("by zero"), None), Scripted(BUY, BUY, None)
    service = service_of(WeightedStrategy(broken), WeightedStrategy(other))
    with pytest.raises(
        StrategyFailed, match=r"BTC/USDT: strategy scripted\(number=2\) raised ZeroDivision"
    ) as failed:
        feed(service, 100)
    assert (failed.value.symbol, failed.value.strategy, other.asked) == (PAIR, broken, 1)
    assert service.why_not(PAIR) == str(failed.value)
    assert service.analyzer.market(PAIR).samples == 1
    signal = feed(service, 101)
    assert signal is not None
    assert signal.side == "buy"


def test_an_answer_that_is_no_vote_is_a_failure_of_the_strategy() -> None:
    with pytest.raises(StrategyFailed, match="neither a vote nor None"):
        feed(service_of(WeightedStrategy(Scripted("buy"))), 100)


def walk(seed: int, length: int) -> list[float]:
    draw, price, prices = random.Random(seed), 100.0, []
    for _ in range(length):
        price = round(price * (1 + draw.gauss(0, 0.004)), 2)
        prices.append(price)
    return prices


def panel_of_two() -> list[WeightedStrategy]:
    return [
        WeightedStrategy(create("sma_cross", {"fast": 2, "slow": 5})),
        WeightedStrategy(create("macd", {"fast": 2, "slow": 4, "signal": 3})),
    ]


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 80))
def test_a_restart_anywhere_gives_the_same_signals_with_the_same_ids(seed: int, cut: int) -> None:
    prices = walk(seed, 80)
    expected = feed_all(service_of(*panel_of_two()), prices)
    first, second = service_of(*panel_of_two()), service_of(*panel_of_two())
    signals = feed_all(first, prices[:cut])
    saved = json.dumps([first.analyzer.checkpoint(PAIR), first.checkpoint(PAIR)], allow_nan=False)
    market, strategies = json.loads(saved)
    second.analyzer.restore(PAIR, market)
    second.restore(PAIR, strategies)
    assert signals + feed_all(second, prices[cut:], start=cut) == expected
    assert len({signal.id for signal in expected}) == len(expected)


def test_such_a_history_has_signals() -> None:
    assert len(feed_all(service_of(*panel_of_two()), walk(1, 80))) > 5


def test_a_damaged_checkpoint_names_symbol_and_strategy() -> None:
    service = service_of(WeightedStrategy(create("sma_cross")))
    (key,) = service.checkpoint(PAIR)
    with pytest.raises(CheckpointError, match=r"BTC/USDT: strategy sma_cross\(fast=5, slow=20\): side"):
        service.restore(PAIR, {key: {"side": 7}})
    service.restore(PAIR, {"another": {"side": 7}})


def test_replacing_keeps_what_is_listed_again_and_shares_warm_indicators() -> None:
    service = service_of(WeightedStrategy(create("sma_cross", {"fast": 2, "slow": 3})))
    feed_all(service, [5, 4, 3, 2])
    (kept,) = service.strategies_of(PAIR)
    before = service.checkpoint(PAIR)
    again = WeightedStrategy(create("sma_cross", {"fast": 2, "slow": 3}), 4)
    new = WeightedStrategy(create("sma_cross", {"fast": 1, "slow": 3}))
    service.replace(PAIR, [new, again])
    assert [each.strategy for each in service.strategies_of(PAIR)] == [new.strategy, kept.strategy]
    assert [each.weight for each in service.strategies_of(PAIR)] == [1, 4]
    assert before.items() <= service.checkpoint(PAIR).items()
    assert new.strategy.why_not().startswith("not warmed up") is False
    assert [signal.side for signal in feed_all(service, [9], start=4)] == ["buy"]


def test_replaced_strategies_leave_no_indicator_behind() -> None:
    service = service_of()
    bare = service.analyzer.indicators(PAIR).updates
    service.replace(PAIR, panel_of_two())
    assert len(service.analyzer.indicators(PAIR).updates) == len(bare) + 3
    service.replace(PAIR, [WeightedStrategy(create("external"))])
    assert service.analyzer.indicators(PAIR).updates == bare


class Unbindable(Scripted):
    def bind(self, indicators: IndicatorSource) -> None:
        super().bind(indicators)
        raise RuntimeError("no")


def test_a_replacement_that_fails_changes_nothing() -> None:
    service = service_of(*panel_of_two())
    before = (service.describe(PAIR), service.strategies_of(PAIR), service.analyzer.indicators(PAIR).updates)
    with pytest.raises(RuntimeError, match="no"):
        service.replace(PAIR, [WeightedStrategy(create("external")), WeightedStrategy(Unbindable())])
    twice = [WeightedStrategy(create("sma_cross")), WeightedStrategy(create("sma_cross"))]
    for refused in ([], twice):
        with pytest.raises(StrategyError):
            service.replace(PAIR, refused)
    after = (service.describe(PAIR), service.strategies_of(PAIR), service.analyzer.indicators(PAIR).updates)
    assert after == before


def test_one_strategy_object_serves_one_symbol() -> None:
    service = service_of(*panel_of_two())
    service.analyzer.add_symbol("ETH/USDT")
    with pytest.raises(StrategyError, match="serves BTC/USDT already"):
        service.configure("ETH/USDT", service.strategies_of(PAIR), 1_000)


def test_a_symbol_is_described_by_canonical_json() -> None:
    service = service_of(WeightedStrategy(create("sma_cross"), 2))
    text = service.describe(PAIR)
    (strategy,) = json.loads(text)
    assert text == json.dumps([strategy], sort_keys=True, separators=(",", ":"))
    assert (strategy["name"], strategy["params"], strategy["weight"]) == (
        "sma_cross",
        {"fast": 5, "slow": 20},
        2,
    )
    assert len(strategy["source"]) == 16


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), True])
def test_a_weight_is_a_number_above_zero(weight: float) -> None:
    with pytest.raises(StrategyError, match="weight"):
        WeightedStrategy(create("macd"), weight)
