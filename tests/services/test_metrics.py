"""The histogram of tick latencies, small enough for a tick to afford, answers for its quantiles."""

from hypothesis import given
from hypothesis import strategies as st

from services.metrics import LatencyHistogram


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_never_below_the_true_one_and_at_most_an_eighth_above(
    durations_ns: list[int], fraction: float
) -> None:
    histogram = LatencyHistogram()
    for duration_ns in durations_ns:
        histogram.record(duration_ns)
    ordered = sorted(durations_ns)
    rank = next(n for n in range(1, len(ordered) + 1) if n >= fraction * len(ordered))
    true_ns = ordered[rank - 1]
    found_ns = histogram.quantile_ms(fraction) * 1e6
    assert true_ns <= found_ns * 1.000001
    assert found_ns <= true_ns * 1.125 + 1.001


def test_a_quantile_of_nothing_is_zero() -> None:
    assert LatencyHistogram().quantile_ms(0.5) == 0.0
