"""The panel of one symbol: its strategies, what their last votes were, and the score these add up to."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from loguru import logger

from fsm.values import Side
from services.indicator_set import AnIndicator, IndicatorSet
from services.indicators import CheckpointError, Indicator, checked_mapping
from services.messages import Tick
from services.order_book import LEVELS_MAX, BookView
from services.strategies.base import Strategy, StrategyError, Vote
from services.strategies.budget import Rest, StrategyHung, Timed, watched
from services.strategies.catalogue import origin_of
from services.strategies.parameters import storable_parameters

REASON_LENGTH_MAX = 2_000


class StrategyFailed(Exception):
    """A strategy raised. The sample gives no signal, but every other strategy has taken it in.

    Whoever catches it suspends the entries of that symbol; prices and exits go on.
    """

    def __init__(self, symbol: str, strategy: Strategy, error: BaseException) -> None:
        super().__init__(f"{symbol}: strategy {strategy} raised {type(error).__name__}: {_shown(error)}")
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
        origin = origin_of(strategy)
        self.identity: dict[str, object] = {
            "name": strategy.name,
            "params": storable_parameters(strategy.params),
            "source": origin.source,
        }
        self.key = canonical(self.identity)
        self.file = origin.file
        """Of a user's strategy; empty for one that is built in."""
        self._rest = Rest()
        self.silence = Rest()
        """From what it tells of itself, its words and its state: no price waits for these."""
        self._indicators = indicators
        self._borrowed: list[Indicator] = []
        self.book_depth = _checked_depth(strategy)
        self._books_asked = 0

    def need(self, kind: type[AnIndicator], *periods: int) -> AnIndicator:
        if kind.__module__ != Indicator.__module__:
            raise StrategyError(
                f"{kind.__name__} is no indicator of services.indicators; an indicator is shared by a whole pair:"
                " calculate your own in on_sample"
            )
        indicator = self._indicators.need(kind, *periods)
        self._borrowed.append(indicator)
        return indicator

    def order_book(self) -> BookView:
        if not self.book_depth:
            raise StrategyError("it asks for no order book; set order_book_depth to how many levels it reads")
        self._books_asked += 1
        return self._indicators.order_book(self.book_depth)

    @property
    def is_warm(self) -> bool:
        """Whether every indicator it borrowed has its value."""
        return all(indicator.ready for indicator in self._borrowed)

    def asker(self, budget_ns: int) -> "Asker":
        """How it is asked: a user's strategy against the clock, where there is a budget."""
        strategy = self.weighted.strategy
        return Timed(strategy, budget_ns, self._rest) if self.file and budget_ns else strategy.on_sample

    def leave(self) -> None:
        while self._borrowed:
            self._indicators.release(self._borrowed.pop())
        while self._books_asked:
            self._books_asked -= 1
            self._indicators.book.release(self.book_depth)


Asker = Callable[[Tick], Vote | None]


class Panel:
    """score = sum(weight * strength, negative for sell) / sum(weights of those that can vote)."""

    __slots__ = (
        "_askers",
        "_budget_ns",
        "_indicators",
        "_weights",
        "chosen",
        "failure",
        "seats",
        "symbol",
        "votes",
    )

    def __init__(self, symbol: str, indicators: IndicatorSet, budget_ns: int = 0) -> None:
        """`budget_ns` is what a user's strategy may take of a sample; 0 watches none."""
        self.symbol = symbol
        self.chosen = ""
        """What a restart needs to know of a choice that is not the configuration's; empty for one that is."""
        self._budget_ns = budget_ns
        self.seats: list[Seat] = []
        self.votes: tuple[tuple[Seat, Vote], ...] = ()
        """The votes of the last sample."""
        self.failure: StrategyFailed | None = None
        """Why the last sample could not be judged."""
        self._indicators = indicators
        self._askers: tuple[tuple[Asker, Seat], ...] = ()
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
                with watched():
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
        self._askers = tuple((seat.asker(self._budget_ns), seat) for seat in voters)
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
            except (Exception, StrategyHung) as error:  # a strategy may be anybody's code
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
                parts.append(f"{strategy}: {_words_of(seat)}")
            else:
                parts.append(f"{strategy} {vote.side} {vote.strength:g} x weight {weight:g}: {vote.reason}")
        return "; ".join(parts)

    def describe(self) -> str:
        return canonical([self._description(seat) for seat in self.seats])

    @staticmethod
    def _description(seat: Seat) -> dict[str, object]:
        file = {"file": seat.file} if seat.file else {}
        return {**seat.identity, "weight": float(seat.weighted.weight), **file}

    def leave(self) -> None:
        """Gives back every indicator; the panel is asked no more."""
        for seat in self.seats:
            seat.leave()
        self.seats, self._askers = [], ()

    @property
    def is_warm(self) -> bool:
        return all(seat.is_warm for seat in self.seats)

    @property
    def samples_needed(self) -> int:
        return max((seat.weighted.strategy.samples_needed for seat in self.seats), default=0)

    def checkpoint(self) -> dict[str, Any]:
        """What of a user's strategy cannot be saved is left out: it starts anew."""
        states = {seat.key: state_of(seat) for seat in self.seats}
        return {key: state for key, state in states.items() if state is not None}

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        for seat in self.seats:
            state = checkpoint.get(seat.key)
            if state is not None:
                try:
                    with watched():
                        seat.weighted.strategy.restore(checked_mapping(state))
                except (Exception, StrategyHung) as error:  # a strategy may be anybody's code
                    where = f"{self.symbol}: strategy {seat.weighted.strategy}"
                    raise CheckpointError(f"{where}: {error}") from None


def canonical(value: object) -> str:
    """The one JSON text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def state_of(seat: Seat) -> dict[str, Any] | None:
    """As it would come back from a checkpoint; None when a user's strategy gives none that could be saved."""
    strategy = seat.weighted.strategy
    if not seat.file:
        return strategy.state()
    try:
        with seat.silence.unless_resting():
            state = json.loads(json.dumps(strategy.state(), allow_nan=False))
    except (Exception, StrategyHung) as error:  # a strategy may be anybody's code
        logger.bind(event="state_unusable", strategy=str(strategy), fault=repr(error)).warning(
            "state_unusable"
        )
        return None
    return state if isinstance(state, dict) else None


def _words_of(seat: Seat) -> str:
    if not seat.file:
        return seat.weighted.strategy.why_not()
    try:
        with seat.silence.unless_resting():
            return str(seat.weighted.strategy.why_not())[:REASON_LENGTH_MAX]
    except (Exception, StrategyHung) as error:  # what it says of itself must not end the engine that shows it
        return f"why_not raised {type(error).__name__}: {error}"


def _shown(words: object) -> str:
    """Bounded, for a journal: whoever made these words may have made very many."""
    text = str(words)
    return text if len(text) <= REASON_LENGTH_MAX else f"{text[:REASON_LENGTH_MAX]}..."


def _checked_depth(strategy: Strategy) -> int:
    depth = strategy.order_book_depth
    if type(depth) is not int or not 0 <= depth <= LEVELS_MAX:
        raise StrategyError(
            f"strategy {strategy.name}: order_book_depth {depth!r} is no whole number from 0 to {LEVELS_MAX}"
        )
    return depth


def _checked_vote(vote: object) -> Vote:
    if not isinstance(vote, Vote):
        raise TypeError(f"on_sample gave {_shown(repr(vote))}, neither a vote nor None")
    if not isinstance(vote.reason, str) or len(vote.reason) > REASON_LENGTH_MAX:
        raise TypeError(f"the reason of a vote is no text of up to {REASON_LENGTH_MAX} characters")
    return vote
