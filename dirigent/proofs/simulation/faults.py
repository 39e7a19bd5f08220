"""The faults that a history may meet, and the dice that decide: each kind has a stream of its own."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from random import Random

PROBABILITIES: dict[str, float] = {
    "request_lost": 0.04,
    "response_lost": 0.06,
    "executed_late": 0.06,
    "executed_after_the_window": 0.02,
    "server_error": 0.04,
    "throttled": 0.03,
    "garbage": 0.03,
    "garbage_with_success": 0.04,
    "slow_way": 0.05,
    "cancel_repeated": 0.08,
    "query_failed": 0.12,
    "query_garbage": 0.03,
    "stale_absence": 0.15,
    "stale_state": 0.1,
    "slow_answer": 0.15,
    "order_forgotten": 0.2,
    "balance_failed": 0.03,
    "report_lost": 0.08,
    "report_duplicated": 0.15,
    "report_delayed": 0.15,
    "report_without_trades": 0.1,
    "end_understated": 0.08,
    "end_told_early": 0.08,
    "ended_by_exchange": 0.03,
    "partial_fill_then_silence": 0.15,
    "disconnected": 0.01,
    "feed_stalled": 0.008,
    "feed_failed": 0.004,
    "bad_tick": 0.01,
    "clock_skewed": 0.01,
    "price_jumped": 0.015,
    "disk_full": 0.004,
    "disk_read_only": 0.002,
    "death_at_any_await": 0.0004,
    "death_before_commit": 0.01,
    "death_in_commit": 0.01,
    "death_after_commit": 0.03,
    "death_after_send": 0.03,
    "death_before_record": 0.03,
    "death_again": 0.35,
    "power_lost": 0.4,
}
"""How often each kind happens when it may, before a history's own weights."""

_WEIGHTS = (0.0, 0.5, 1.0, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What is otherwise than drawn: kinds that are left out, and probabilities that are given."""

    without: Collection[str] = ()
    chances: Mapping[str, float] = field(default_factory=dict)


AS_DRAWN = FaultPlan()


class Faults:
    """Decides by seed. Leaving a kind out does not shift what the others draw, so a story can be made shorter.

    Each history weighs every kind anew, some with nothing: faults that hide others are absent somewhere.
    """

    def __init__(self, seed: int, plan: FaultPlan = AS_DRAWN) -> None:
        weights = Random(f"{seed}:weights")
        self.counts: Counter[str] = Counter()
        self.armed = True
        self._streams = {kind: Random(f"{seed}:{kind}") for kind in PROBABILITIES}
        self._chances = {kind: chance * weights.choice(_WEIGHTS) for kind, chance in PROBABILITIES.items()}
        for kind, chance in plan.chances.items():
            self._chances[kind] = chance
        for kind in plan.without:
            self._chances[kind] = 0.0

    def happens(self, kind: str) -> bool:
        if self._streams[kind].random() >= self._chances[kind] or not self.armed:
            return False
        self.counts[kind] += 1
        return True

    def stream(self, kind: str) -> Random:
        """For the numbers that a fault of this kind needs."""
        return self._streams[kind]
