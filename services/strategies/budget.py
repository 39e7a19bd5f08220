"""What a user's strategy may take of a tick: its answers are timed, and one that does not come back is broken off."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns

from services.messages import Tick
from services.strategies.base import Strategy, Vote

SLOW_IN_A_ROW_MAX = 3
"""Samples in a row that may not exceed the budget: a single one may be the machine's fault."""


REST_S = 60.0
"""For how long a strategy that was too slow is not asked: what takes a second at every price would stop every pair."""


class OverranBudget(Exception):
    """A strategy was too slow, several samples in a row."""


class NotAsked(Exception):
    """A strategy rests, since it was too slow or did not come back."""


class StrategyHung(BaseException):
    """A strategy did not come back. No `except Exception` of its own may catch this."""


class _Watch:
    """Since when user's code is being run; 0 while none is. There is one thread, so there is one."""

    __slots__ = ("since_ns",)

    def __init__(self) -> None:
        self.since_ns = 0


_WATCH = _Watch()


def break_off_if_longer_than(limit_ns: int) -> None:
    """Called from outside, such as by a timer's signal. Raises StrategyHung into the strategy that is running.

    Once: in the very moment in which that ends by itself, the next would be raised into the engine.
    """
    since_ns = _WATCH.since_ns
    if since_ns and perf_counter_ns() - since_ns > limit_ns:
        _WATCH.since_ns = 0
        raise StrategyHung(f"it did not answer within {limit_ns / 1e6:.0f} ms")


@contextmanager
def watched() -> Iterator[None]:
    """Around any other code of a user's strategy: its making, its binding, its words."""
    _WATCH.since_ns = perf_counter_ns()
    try:
        yield
    finally:
        _WATCH.since_ns = 0


class Rest:
    """Until when a strategy is not asked for anything, and why; over from the start."""

    __slots__ = ("_fault", "until_ns")

    def __init__(self) -> None:
        self._fault = ""
        self.until_ns = 0

    def begin(self, fault: BaseException) -> None:
        self._fault = str(fault)
        self.until_ns = perf_counter_ns() + int(REST_S * 1e9)

    def require_over(self) -> None:
        """Raises NotAsked."""
        left_s = (self.until_ns - perf_counter_ns()) / 1e9
        if left_s > 0:
            raise NotAsked(f"{self._fault}; it is asked again in {left_s:.0f} s")
        self.until_ns = 0

    @contextmanager
    def unless_resting(self) -> Iterator[None]:
        """Around any code of the strategy but its answers. Raises NotAsked."""
        self.require_over()
        try:
            with watched():
                yield
        except StrategyHung as fault:
            self.begin(fault)
            raise


class Timed:
    """A user's strategy, asked with a copy of the tick and against the clock."""

    __slots__ = ("_budget_ns", "_on_sample", "_rest", "_slow")

    def __init__(self, strategy: Strategy, budget_ns: int, rest: Rest) -> None:
        self._on_sample = strategy.on_sample
        self._budget_ns = budget_ns
        self._rest = rest
        self._slow = 0

    def __call__(self, tick: Tick) -> Vote | None:
        if self._rest.until_ns:
            self._rest.require_over()
        copy = Tick(tick.symbol, tick.at_ms, tick.last, tick.bid, tick.ask)
        _WATCH.since_ns = started_ns = perf_counter_ns()
        try:
            vote = self._on_sample(copy)
        except StrategyHung as fault:
            self._rest.begin(fault)
            raise
        finally:
            _WATCH.since_ns = 0
        took_ns = perf_counter_ns() - started_ns
        if took_ns <= self._budget_ns:
            self._slow = 0
            return vote
        self._slow += 1
        if self._slow >= SLOW_IN_A_ROW_MAX:
            budget_ms = self._budget_ns / 1e6
            overran = OverranBudget(
                f"it took {took_ns / 1e6:.3g} ms of {budget_ms:.3g} ms, {self._slow} samples in a row"
            )
            self._rest.begin(overran)
            raise overran
        return vote
