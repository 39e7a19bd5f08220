"""The recent past of a market is kept exactly, and in the space that was set aside for it."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.market_data_analyzer import MarketDataAnalyzer
from services.messages import Tick
from services.recent_samples import SAMPLE_BYTES
from tests.analysis.aggregation_by_hand import NOW_MS, PAIR, HandClock

PRICES = st.decimals("0.00000001", "9999999", places=8).map(lambda price: price.normalize())


@given(st.lists(st.tuples(PRICES, st.booleans()), min_size=1, max_size=30), st.integers(1, 10))
def test_the_last_ones_come_back_as_they_were(prices: list[tuple[Decimal, bool]], size: int) -> None:
    analyzer = MarketDataAnalyzer(HandClock(), volatility_period=5, recent_samples=size)
    analyzer.add_symbol(PAIR)
    seen: list[Tick] = []
    for number, (price, with_spread) in enumerate(prices):
        spread = {"bid": str(price), "ask": str(price)} if with_spread else {}
        ticker = {"symbol": PAIR, "timestamp": NOW_MS - 100 + number, "last": str(price), **spread}
        seen.append(analyzer.observe(ticker))
    recent = analyzer.recent(PAIR)
    assert recent is not None
    assert list(recent.ticks(recent.first, recent.count)) == seen[-size:]
    assert recent.count == len(prices)


def test_points_inside_a_bar_are_none_of_it() -> None:
    analyzer = MarketDataAnalyzer(HandClock(), recent_samples=5)
    analyzer.add_symbol(PAIR)
    for is_sample in (True, False):
        analyzer.observe({"symbol": PAIR, "timestamp": NOW_MS, "last": "10", "info": {"sample": is_sample}})
    recent = analyzer.recent(PAIR)
    assert recent is not None
    assert recent.count == 1


def test_a_thousand_samples_take_32_kilobytes() -> None:
    assert SAMPLE_BYTES * 1_000 == 32_000
