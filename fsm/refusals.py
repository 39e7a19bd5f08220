"""What is kept of refused entries: each guard's refusals counted a pair, and every guard's answer at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fsm.pair import PAIR
from fsm.values import Verdict

MINUTE_MS = 60_000
MINUTES_KEPT = 120
"""Twice an hour, so that for any moment of the last hour the whole hour before it is known by the minute."""
HOURS_KEPT = 48

RISK_GUARD = "risk_allows_entry"
"""The guard that speaks for many checks; its words begin with the name of the one that refused."""
NO_ENTRY_IN_FLIGHT = "no_entry_in_flight"
"""Not a guard of the table, which has no row for a second entry: the name under which that is counted."""
A_SIGNAL_WAS_GIVEN = "a_signal_was_given"
"""Not a guard either: whether the strategies' last sample gave a signal at all."""

_SELECTORS = PAIR.selectors


@dataclass(slots=True)
class Refusal:
    """How often one guard kept one pair from entering. Its size is bounded however often that was."""

    symbol: str
    guard: str
    because: str
    """Of the last time."""
    first_at_ms: int
    last_at_ms: int
    count: int = 0
    minutes: dict[int, int] = field(default_factory=dict)
    """By minutes since the epoch, the latest MINUTES_KEPT."""
    hours: dict[int, int] = field(default_factory=dict)
    """By hours since the epoch: what is no longer kept by the minute, the latest HOURS_KEPT."""
    is_changed: bool = field(default=False, compare=False)
    """Since it was last saved."""

    def add(self, because: str, at_ms: int) -> None:
        self.is_changed = True
        self.count += 1
        self.because = because
        self.last_at_ms = at_ms
        minute = at_ms // MINUTE_MS
        if minute in self.minutes:
            self.minutes[minute] += 1
        else:
            self._begin_minute(minute)

    def _begin_minute(self, minute: int) -> None:
        minutes = self.minutes
        minutes[minute] = 1
        newest = max(minutes)
        for old in [one for one in minutes if one <= newest - MINUTES_KEPT]:
            hour = old // 60
            self.hours[hour] = self.hours.get(hour, 0) + minutes.pop(old)
        for old in [one for one in self.hours if one < newest // 60 - HOURS_KEPT]:
            del self.hours[old]

    def in_hour_before(self, at_ms: int) -> int | None:
        """How often in the sixty minutes that end with the minute of `at_ms`; None where only hours are kept."""
        last = at_ms // MINUTE_MS
        if self.hours and last - 59 < min(self.minutes, default=0):
            hours = self.hours.keys() & {last // 60, (last - 59) // 60}
            if hours:
                return None
        return sum(count for minute, count in self.minutes.items() if last - 60 < minute <= last)


@dataclass(frozen=True, slots=True)
class Answer:
    """A guard's verdict, and since when it has been holding or failing, as far as it was asked."""

    verdict: Verdict
    since_ms: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """What every guard would say to an entry of one pair at one moment."""

    symbol: str
    at_ms: int
    answers: tuple[Answer, ...]


def refusing(verdicts: Sequence[Verdict]) -> tuple[str, str] | None:
    """What kept the pair from entering, a risk check under its own name, and its words; None when all held.

    Guards are asked in the order of the rows until one fails, so the first that fails is the reason; those that
    come after it only choose where the pair goes.
    """
    for verdict in verdicts:
        if not verdict.holds and verdict.guard not in _SELECTORS:
            if verdict.guard == RISK_GUARD:
                check, colon, numbers = verdict.because.partition(": ")
                if colon:
                    return check, numbers
            return verdict.guard, verdict.because
    return None
