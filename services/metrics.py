"""Counters that a tick can afford, and the latency of ticks in a histogram of fixed size."""

from collections.abc import Sequence
from dataclasses import dataclass, field

_SUB_BITS = 3
_BUCKETS = 64 << _SUB_BITS


@dataclass(slots=True)
class LatencyHistogram:
    """Durations in ns by power of two, each cut in eight: a quantile is right within 12.5 percent."""

    counts: list[int] = field(default_factory=lambda: [0] * _BUCKETS)
    total_ns: int = 0

    def record(self, duration_ns: int) -> None:
        self.total_ns += duration_ns
        shift = duration_ns.bit_length() - 1 - _SUB_BITS
        if shift <= 0:
            self.counts[duration_ns & 15] += 1
        else:
            self.counts[((shift + 1) << _SUB_BITS) + ((duration_ns >> shift) & 7)] += 1

    def quantile_ms(self, fraction: float) -> float:
        """The upper edge of the bucket in which the quantile lies; 0 when nothing was recorded."""
        total = sum(self.counts)
        if not total:
            return 0.0
        wanted, seen = fraction * total, 0
        for index, count in enumerate(self.counts):
            seen += count
            if seen >= wanted and count:
                return _upper_ns(index) / 1e6
        return 0.0

    def counted_upto(self, edges_ns: Sequence[int]) -> list[int]:
        """How many durations lie below each edge, of rising powers of two from 16 on: there the cut is exact."""
        counted, index, found = 0, 0, []
        for edge in edges_ns:
            end = (edge.bit_length() - 1 - _SUB_BITS + 1) << _SUB_BITS
            counted, index = counted + sum(self.counts[index:end]), end
            found.append(counted)
        return found


def _upper_ns(index: int) -> int:
    if index < 16:
        return index
    shift = (index >> _SUB_BITS) - 1
    return ((8 | (index & 7)) + 1) << shift


@dataclass(slots=True)
class EngineMetrics:
    """What a run has done since it started."""

    ticks: int = 0
    bad_ticks: int = 0
    transitions: int = 0
    anomalies: int = 0
    refusals: int = 0
    last_bad_tick: str = ""
    tick_latency: LatencyHistogram = field(default_factory=LatencyHistogram)
