"""The contract of a strategy, held by running it: the same samples bring the same votes, whatever lies between them."""

import json
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import zip_longest
from statistics import quantiles
from time import perf_counter_ns

from services.indicator_set import IndicatorSet
from services.indicators import CheckpointError
from services.messages import Tick
from services.strategies.base import Strategy, StrategyError
from services.strategies.catalogue import origin_of
from services.strategies.panel import REASON_LENGTH_MAX, Panel, StrategyFailed, WeightedStrategy

Make = Callable[[], Strategy]
Votes = list[tuple[int, str, float, str]]
"""The number of the sample, side, strength and reason of every vote."""

STATE_BYTES_MAX = 1_000_000
GROWTH_BYTES_MAX = 256_000


class Broken(Exception):
    """A clause that the strategy does not keep; the message says where and how."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One clause of the contract, and what was found; `fault` is empty when it is kept."""

    clause: str
    fault: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is held to the contract, and on what."""

    make: Make
    ticks: Sequence[Tick]
    budget_ms: float
    blocked: Callable[[], AbstractContextManager[None]] = nullcontext
    """Around every run: where clock, files and network are out of reach."""


def examine(subject: Subject) -> Iterator[Finding]:
    """Every clause, in an order in which an earlier fault explains a later one."""
    for clause, check in _CLAUSES:
        try:
            told = check(subject)
        except Broken as fault:
            yield Finding(clause, str(fault))
        except StrategyFailed as failure:
            yield Finding(clause, str(failure))
        except Exception as error:  # the strategy is anybody's code
            yield Finding(clause, f"{type(error).__name__}: {error}")
        else:
            yield Finding(clause, "", told)


class _Run:
    """One strategy on indicators of its own."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.strategy = subject.make()
        origin_of(self.strategy)  # reads a file once, which is out of reach later
        self.indicators = IndicatorSet()
        self.panel = Panel("the trial", self.indicators)
        with subject.blocked():
            self.panel.seat([WeightedStrategy(self.strategy)])
        self.votes: Votes = []

    def feed(self, first: int, last: int) -> None:
        ticks = self.subject.ticks
        with self.subject.blocked():
            for number in range(first, last):
                tick = ticks[number]
                price = float(tick.last)
                for update in self.indicators.updates:
                    update(price)
                self._ask(number, replace(tick))

    def _ask(self, number: int, tick: Tick) -> None:
        try:
            voted = self.panel.ask(tick)
        except StrategyFailed as failure:
            raise Broken(f"sample {number + 1} of price {tick.last}: {failure}") from None
        if voted:
            ((_, vote),) = self.panel.votes
            self.votes.append((number, str(vote.side), float(vote.strength), vote.reason))


def _whole(subject: Subject) -> _Run:
    run = _Run(subject)
    run.feed(0, len(subject.ticks))
    return run


def votes_of(subject: Subject) -> Votes:
    return _whole(subject).votes


def _takes_odd_prices(subject: Subject) -> str:
    votes = _whole(subject).votes
    return f"{len(votes)} votes in {len(subject.ticks)} samples"


def _is_deterministic(subject: Subject) -> str:
    _compare(_whole(subject).votes, _whole(subject).votes, "a second run")
    return ""


def _is_independent(subject: Subject) -> str:
    """Two pairs' strategies in one process, asked in turn, share nothing."""
    alone = _whole(subject).votes
    one, other = _Run(subject), _Run(subject)
    half = len(subject.ticks) // 2
    for number in range(half):
        one.feed(number, number + 1)
        other.feed(half + number, half + number + 1)
    one.feed(half, len(subject.ticks))
    _compare(alone, one.votes, "a run beside another pair's")
    return ""


def _warms_up_as_told(subject: Subject) -> str:
    run = _whole(subject)
    needed = run.strategy.samples_needed
    if type(needed) is not int or needed < 0:
        raise Broken(f"samples_needed is {needed!r}, no whole number of at least 0")
    if run.votes and run.votes[0][0] < needed:
        raise Broken(f"it votes at sample {run.votes[0][0] + 1}, and says that {needed} warm it up")
    return f"{needed} samples"


def _survives_restarts(subject: Subject) -> str:
    whole = _whole(subject).votes
    length = len(subject.ticks)
    for cut in sorted({0, 1, length // 7, length // 3, length // 2, length - 1}):
        first, second = _Run(subject), _Run(subject)
        first.feed(0, cut)
        with subject.blocked():
            state = _through_json(first.strategy.state())
            second.strategy.restore(state)
        second.indicators.restore(json.loads(json.dumps(first.indicators.state())))
        second.feed(cut, length)
        _compare(whole, first.votes + second.votes, f"a restart after {cut} samples")
    return ""


def _refuses_foreign_states(subject: Subject) -> str:
    strategy = _Run(subject).strategy
    try:
        strategy.restore({"no such key": ["nonsense"]})
    except CheckpointError:
        return ""
    except Exception as error:
        raise Broken(f"restore raised {type(error).__name__}, not CheckpointError: {error}") from None
    raise Broken("restore took a state that is none of its own; it has to raise CheckpointError")


def _through_json(state: object) -> dict[str, object]:
    if not isinstance(state, dict):
        raise Broken(f"state() gave {type(state).__name__}, no dict")
    try:
        text = json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Broken(f"state() cannot be saved as JSON: {error}") from None
    if len(text) > STATE_BYTES_MAX:
        raise Broken(f"state() takes {len(text)} bytes of {STATE_BYTES_MAX} allowed")
    again: dict[str, object] = json.loads(text)
    return again


def _explains_itself(subject: Subject) -> str:
    run = _Run(subject)
    words = ""
    fed = 0
    for until in (0, 1, 10, len(subject.ticks)):
        run.feed(fed, until)
        fed = until
        with subject.blocked():
            words = run.strategy.why_not()
        if not isinstance(words, str) or not 0 < len(words) <= REASON_LENGTH_MAX:
            raise Broken(f"after {until} samples why_not() gave {words!r}, no text")
    if any(not reason for *_, reason in run.votes):
        raise Broken("a vote has no reason")
    return words


def _leaves_the_rest_alone(subject: Subject) -> str:
    """Neither the tick nor the indicators that it shares with others are its own."""
    run = _Run(subject)
    clean = IndicatorSet()
    for kind, periods in sorted(run.indicators.identities(), key=str):
        clean.need(kind, *periods)
    with subject.blocked():
        for number, tick in enumerate(subject.ticks):
            price = float(tick.last)
            for update in (*run.indicators.updates, *clean.updates):
                update(price)
            given = replace(tick)
            run._ask(number, given)
            if given != tick:
                raise Broken(f"sample {number + 1}: on_sample changed the tick")
    if run.indicators.state() != clean.state():
        raise Broken("it changed an indicator that it shares with others")
    return ""


def _takes_its_bounds(subject: Subject) -> str:
    """Each parameter at each end of its range makes a strategy, or a StrategyError with the reason."""
    kind = type(subject.make())
    tried = 0
    for name, parameter in kind.parameters.items():
        ends = parameter.choices or (
            (False, True) if isinstance(parameter.default, bool) else (parameter.least, parameter.most)
        )
        for value in ends:
            if value is None:
                continue
            tried += 1
            try:
                Panel("the trial", IndicatorSet()).seat([WeightedStrategy(kind({name: value}))])
            except StrategyError:
                continue
            except Exception as error:
                raise Broken(f"{name} = {value!r} raised {type(error).__name__}: {error}") from None
    return f"{tried} values tried"


def _keeps_its_time(subject: Subject) -> str:
    run = _Run(subject)
    durations_ms = []
    for number in range(len(subject.ticks)):
        started_ns = perf_counter_ns()
        run.feed(number, number + 1)
        durations_ms.append((perf_counter_ns() - started_ns) / 1e6)
    p99 = quantiles(durations_ms, n=100)[98]
    if p99 > subject.budget_ms:
        raise Broken(f"p99 {p99:.3f} ms a sample, {subject.budget_ms:g} ms allowed")
    return f"p50 {sorted(durations_ms)[len(durations_ms) // 2]:.4f} ms, p99 {p99:.4f} ms"


def _keeps_its_memory(subject: Subject) -> str:
    """The same samples again and again: what is remembered of them may not pile up."""
    run = _Run(subject)
    run.feed(0, len(subject.ticks))
    run.votes.clear()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(3):
            run.feed(0, len(subject.ticks))
            run.votes.clear()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if after - before > GROWTH_BYTES_MAX:
        samples = 3 * len(subject.ticks)
        raise Broken(f"it grew by {after - before} bytes in {samples} samples; keep a bounded past")
    return f"{max(after - before, 0)} bytes more in {3 * len(subject.ticks)} samples"


def _compare(expected: Votes, found: Votes, what: str) -> None:
    if expected == found:
        return
    one, other = next(pair for pair in zip_longest(expected, found) if pair[0] != pair[1])
    raise Broken(f"{what} votes differently: {_vote(one)}, then {_vote(other)}")


def _vote(vote: tuple[int, str, float, str] | None) -> str:
    if vote is None:
        return "no vote"
    number, side, strength, reason = vote
    return f"{side} {strength:g} at sample {number + 1} ({reason})"


_CLAUSES: tuple[tuple[str, Callable[[Subject], str]], ...] = (
    ("takes its bounds", _takes_its_bounds),
    ("takes odd prices and gaps", _takes_odd_prices),
    ("is deterministic", _is_deterministic),
    ("keeps pairs apart", _is_independent),
    ("warms up as told", _warms_up_as_told),
    ("survives restarts", _survives_restarts),
    ("refuses foreign states", _refuses_foreign_states),
    ("explains itself", _explains_itself),
    ("leaves tick and indicators alone", _leaves_the_rest_alone),
    ("keeps its time", _keeps_its_time),
    ("keeps its memory", _keeps_its_memory),
)
