"""The exchange and the network around one order, as small as they can be while they still do everything they may."""

from collections.abc import Iterator
from typing import NamedTuple

UNSENT, TRAVELLING, NEVER_ARRIVED, REFUSED = "unsent", "travelling", "never arrived", "refused"
OPEN, CLOSED, CANCELED, EXPIRED, REJECTED = "open", "closed", "canceled", "expired", "rejected"
QUEUED, WAITING = "queued", "waiting"

_KNOWN = frozenset({OPEN, CLOSED, CANCELED, EXPIRED, REJECTED})
_OVER = frozenset({CLOSED, CANCELED, EXPIRED, REJECTED})

WINDOWS_MAX = 2
"""How many windows for late requests are counted; an order older than that is as old as any."""


class Snapshot(NamedTuple):
    """What the exchange said, or could have said, of an order at one moment: how much of it had filled by then."""

    status: str
    filled: int


class Truth(NamedTuple):
    """One order outside the engine: what the exchange did with it, and what is under way between the two.

    `age` counts the windows that passed since its request left. `creating` and `cancelling` are the engine's own
    calls: committed and not yet sent, or waiting for their answer. `answered_age` counts the windows since the
    engine, still the same process, had the answer to its request. `asked_before` says that a look-up may still be
    out that was asked before the last window passed.
    """

    phase: str = UNSENT
    filled: int = 0
    age: int = 0
    creating: str = ""
    cancelling: str = ""
    cancel_travels: bool = False
    asked_before: bool = False
    answered_age: int | None = None

    @property
    def is_known(self) -> bool:
        """The exchange has, or had, this order."""
        return self.phase in _KNOWN

    @property
    def may_live(self) -> bool:
        """It is open at the exchange or may still arrive there."""
        return self.phase in (OPEN, TRAVELLING)


def doings(truth: Truth, amount: int) -> Iterator[tuple[str, Truth]]:
    """What the exchange and the network may do next, unasked."""
    if truth.phase == TRAVELLING:
        yield "its request arrives", truth._replace(phase=OPEN)
        yield "its request is refused", truth._replace(phase=REFUSED)
    if truth.phase == OPEN:
        filled = truth.filled + 1
        phase = CLOSED if filled == amount else OPEN
        yield f"unit {filled} of {amount} fills", truth._replace(phase=phase, filled=filled)
        yield "the exchange expires it", truth._replace(phase=EXPIRED)
        if not truth.filled:
            yield "the exchange rejects it after all", truth._replace(phase=REJECTED)
    if truth.cancel_travels:
        ended = CANCELED if truth.phase == OPEN else truth.phase
        yield "the cancellation arrives", truth._replace(phase=ended, cancel_travels=False)


def snapshots(truth: Truth, latest: int | None = None, *, end_overtakes: bool) -> list[Snapshot]:
    """Everything that was ever true of the order, oldest first; of it the `latest` so many.

    Each may be reported at any time, any number of times, in any order, or never: that is what lost, late, doubled
    and reordered reports amount to. `end_overtakes`: the end may be told before the last fill is.
    """
    if not truth.is_known:
        return []
    said = [Snapshot(OPEN, filled) for filled in range(truth.filled + (truth.phase != CLOSED))]
    if truth.phase in _OVER:
        if end_overtakes and truth.filled and truth.phase != CLOSED:
            said.append(Snapshot(truth.phase, truth.filled - 1))
        said.append(Snapshot(truth.phase, truth.filled))
    return said if latest is None else said[-latest:]


def may_be_missed(truth: Truth, asked_age: int) -> bool:
    """Whether a question asked `asked_age` windows ago may find nothing.

    The order was not there then, or not visible yet.
    """
    return not truth.is_known or truth.age <= asked_age


def after_a_window(truth: Truth, is_asked_about: bool) -> Truth:
    """The same when the window for late requests has passed: what travelled has arrived by then or never will."""
    travelling = truth.phase == TRAVELLING
    answered = None if truth.answered_age is None else min(truth.answered_age + 1, WINDOWS_MAX)
    return truth._replace(
        phase=NEVER_ARRIVED if travelling else truth.phase,
        age=min(truth.age + 1, WINDOWS_MAX) if truth.is_known else 0,
        cancel_travels=False,
        asked_before=is_asked_about,
        answered_age=answered,
    )


def after_death(truth: Truth) -> Truth:
    """The engine's calls and questions die with it; what has left travels on."""
    return truth._replace(creating="", cancelling="", asked_before=False, answered_age=None)


def once_ended(truth: Truth) -> Truth:
    """Of an order that ended at the exchange and in the engine: answers to what was asked of it move nothing more."""
    return Truth(truth.phase, truth.filled, WINDOWS_MAX)
