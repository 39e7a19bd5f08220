"""Warming up strategies on the recent past, so that they can trade from the next sample on."""

from collections.abc import Sequence
from typing import Any

from services.indicator_set import IndicatorSet
from services.messages import Tick
from services.recent_samples import RecentSamples
from services.strategies.base import StrategyError
from services.strategies.budget import watched
from services.strategies.panel import Panel, Seat, WeightedStrategy, state_of


def twins(weighted: Sequence[WeightedStrategy]) -> list[WeightedStrategy]:
    """The same strategies made anew, that have seen nothing yet."""
    with watched():
        return [WeightedStrategy(type(each.strategy)(each.strategy.params), each.weight) for each in weighted]


class WarmUp:
    """A twin of each strategy runs over the past on indicators of its own; those that are seated go on from there."""

    def __init__(self, symbol: str, weighted: Sequence[WeightedStrategy], budget_ns: int = 0) -> None:
        """Raises StrategyError, or whatever a strategy's `bind` raises."""
        self.symbol = symbol
        self.samples = 0
        self._next = 0
        self._weighted = weighted
        self._budget_ns = budget_ns
        self._indicators = IndicatorSet()
        self._past = Panel(symbol, self._indicators, budget_ns)
        self._past.seat(twins(weighted))

    def catch_up(self, recent: RecentSamples, most: int) -> bool:
        """Works through at most so many samples of the past. False when there are more. Raises StrategyFailed."""
        first = max(self._next, recent.first)
        end = min(first + most, recent.count)
        for tick in recent.ticks(first, end):
            self._take(tick)
        self._next = end
        return end >= recent.count

    def _take(self, tick: Tick) -> None:
        self._take_price(tick)
        self._past.ask(tick)

    def _take_price(self, tick: Tick) -> None:
        price = float(tick.last)
        for update in self._indicators.updates:
            update(price)
        self.samples += 1

    @property
    def is_long_enough(self) -> bool:
        """Whether the past that was seen warms each of them up."""
        return all(self.samples >= each.strategy.samples_needed for each in self._weighted)

    def seated(
        self, tick: Tick, indicators: IndicatorSet, recent: RecentSamples | None, running: Panel | None = None
    ) -> Panel:
        """A panel over the market's own indicators, to be asked about this tick first, which these have taken in.

        What the market has warm already stays as it is; what is new to it goes on where the past ended. A strategy
        that runs there now, the same in name, parameters and source, hands over its own memory instead. Raises
        StrategyFailed, or CheckpointError when a strategy does not take up what it gave out itself.
        """
        if recent is not None:
            for past in recent.ticks(self._next, recent.count - 1):
                self._take(past)
        self._take_price(tick)
        before = indicators.identities()
        panel = Panel(self.symbol, indicators, self._budget_ns)
        panel.seat(self._weighted)
        try:
            indicators.warm_from(self._indicators, indicators.identities() - before)
            present = {seat.key: seat for seat in running.seats} if running else {}
            panel.restore({seat.key: _memory_of(present.get(seat.key, seat)) for seat in self._past.seats})
        except BaseException:
            panel.leave()
            raise
        return panel


def _memory_of(seat: Seat) -> dict[str, Any]:
    state = state_of(seat)
    if state is None:
        raise StrategyError(f"strategy {seat.weighted.strategy}: it gives no state that could be saved")
    return state
