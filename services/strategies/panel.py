"""The panel of one symbol: its strategies, what their last votes were, and the score these add up to."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from fsm.values import Side
from services.indicators import CheckpointError, Indicator, checked_mapping
from services.market_data_analyzer import AnIndicator, IndicatorSet
from services.messages import Tick
from services.strategies.base import Strategy, StrategyError, Vote
from services.strategies.catalogue import source_hash


class StrategyFailed(Exception):
    """A strategy raised. The sample gives no signal, but every other strategy has taken it in.

    Whoever catches it suspends the entries of that symbol; prices and exits go on.
    """

    def __init__(self, symbol: str, strategy: Strategy, error: Exception) -> None:
        super().__init__(f"{symbol}: strategy {strategy} raised {type(error).__name__}: {error}")
        self.symbol = symbol
        self.strategy = strategy
        self.error = error


@dataclass(frozen=True, slots=True)
class WeightedStrategy:
    """A strategy, and how much its vote counts beside the others' of the symbol."""

    strategy: Strategy
    weight: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.weight, bool) or not (isfinite(self.weight) and self.weight > 0):
            raise StrategyError(
                f"strategy {self.strategy}: weight {self.weight!r} is not a number above zero"
            )


class Seat:
    """A strategy on the panel, by its identity; remembers what it borrowed from the symbol's indicators."""

    def __init__(self, weighted: WeightedStrategy, indicators: IndicatorSet) -> None:
        self.weighted = weighted
        strategy = weighted.strategy
        self.identity = {
            "name": strategy.name,
            "params": strategy.params,
            "source": source_hash(strategy),
        }
        self.key = canonical(self.identity)
        self._indicators = indicators
        self._borrowed: list[Indicator] = []

    def need(self, kind: type[AnIndicator], *periods: int) -> AnIndicator:
        indicator = self._indicators.need(kind, *periods)
        self._borrowed.append(indicator)
        return indicator

    def leave(self) -> None:
        while self._borrowed:
            self._indicators.release(self._borrowed.pop())


class Panel:
    """score = sum(weight * strength, negative for sell) / sum(weights of those that can vote)."""

    __slots__ = ("_askers", "_indicators", "_weights", "failure", "seats", "symbol", "votes")

    def __init__(self, symbol: str, indicators: IndicatorSet) -> None:
        self.symbol = symbol
        self.seats: list[Seat] = []
        self.votes: tuple[tuple[Seat, Vote], ...] = ()
        """The votes of the last sample."""
        self.failure: StrategyFailed | None = None
        """Why the last sample could not be judged."""
        self._indicators = indicators
        self._askers: tuple[tuple[Callable[[Tick], Vote | None], Seat], ...] = ()
        self._weights = 0.0

    def seat(self, weighted: Sequence[WeightedStrategy]) -> None:
        """Puts these strategies in the place of those that sit here, between two samples.

        One of the same name, parameters and source keeps its seat with all that it remembers, and indicators
        that old and new share stay warm. Whatever is raised here or by a `bind`, nothing has changed.
        """
        if not weighted:
            raise StrategyError(
                f"{self.symbol}: no strategy; to trade on outside signals alone, use external"
            )
        wanted = [Seat(each, self._indicators) for each in weighted]
        keys = {seat.key for seat in wanted}
        if len(keys) < len(wanted):
            raise StrategyError(f"{self.symbol}: a strategy is listed twice; give it a larger weight instead")
        present = {seat.key: seat for seat in self.seats}
        fresh = [seat for seat in wanted if seat.key not in present]
        try:
            for seat in fresh:
                seat.weighted.strategy.bind(seat)
        except BaseException:
            for seat in fresh:
                seat.leave()
            raise
        for key in present.keys() - keys:
            present[key].leave()
        self.seats = [present.get(seat.key, seat) for seat in wanted]
        for seat, each in zip(self.seats, weighted, strict=True):
            seat.weighted = WeightedStrategy(seat.weighted.strategy, each.weight)
        voters = [seat for seat in self.seats if seat.weighted.strategy.can_vote]
        self._askers = tuple((seat.weighted.strategy.on_sample, seat) for seat in voters)
        self._weights = sum(seat.weighted.weight for seat in voters)
        self.votes, self.failure = (), None

    def ask(self, tick: Tick) -> bool:
        """Whether anybody votes. Raises StrategyFailed, but not before all were asked."""
        votes: tuple[tuple[Seat, Vote], ...] = ()
        failure = None
        for on_sample, seat in self._askers:
            try:
                vote = on_sample(tick)
                if vote is not None:
                    votes = (*votes, (seat, _checked_vote(vote)))
            except Exception as error:  # a strategy may be anybody's code
                failure = failure or StrategyFailed(self.symbol, seat.weighted.strategy, error)
        self.votes = votes
        self.failure = failure
        if failure is not None:
            raise failure
        return bool(votes)

    @property
    def score(self) -> float:
        """Between -1, all sell, and 1, all buy; who can vote and does not counts as undecided."""
        signed = sum(
            seat.weighted.weight * (vote.strength if vote.side == Side.BUY else -vote.strength)
            for seat, vote in self.votes
        )
        return max(-1.0, min(1.0, signed / self._weights)) if self._weights else 0.0

    def account(self) -> str:
        """Each strategy's vote, or why it has none."""
        votes = {seat.key: vote for seat, vote in self.votes}
        parts = []
        for seat in self.seats:
            strategy, weight = seat.weighted.strategy, seat.weighted.weight
            vote = votes.get(seat.key)
            if vote is None:
                parts.append(f"{strategy}: {strategy.why_not()}")
            else:
                parts.append(f"{strategy} {vote.side} {vote.strength:g} x weight {weight:g}: {vote.reason}")
        return "; ".join(parts)

    def describe(self) -> str:
        return canonical([{**seat.identity, "weight": float(seat.weighted.weight)} for seat in self.seats])

    def checkpoint(self) -> dict[str, Any]:
        return {seat.key: seat.weighted.strategy.state() for seat in self.seats}

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        for seat in self.seats:
            state = checkpoint.get(seat.key)
            if state is not None:
                try:
                    seat.weighted.strategy.restore(checked_mapping(state))
                except CheckpointError as error:
                    where = f"{self.symbol}: strategy {seat.weighted.strategy}"
                    raise CheckpointError(f"{where}: {error}") from None


def canonical(value: object) -> str:
    """The one JSON text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _checked_vote(vote: object) -> Vote:
    if not isinstance(vote, Vote):
        raise TypeError(f"on_sample gave {vote!r}, neither a vote nor None")
    return vote
