"""How a command is carried out: a piece of work in one turn, which says what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fsm.permission import ENGINE_SUBJECT
from persistence.commands import Command
from services.turns.turn import Turn

DONE, REFUSED, EXPIRED = "done", "refused", "expired"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command, in words for the person who gave it."""

    outcome: str
    words: str


Work = Callable[[Turn], Result]
"""Stages everything the command does. Must not raise for what a person may do wrong: that is a refusal."""


Step = tuple[str, Callable[[Turn], None]]
"""A pair, and work in its order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The work, the pair in whose order it is done, and what follows once it is committed."""

    work: Work
    symbol: str = ENGINE_SUBJECT
    then: Callable[[], None] = lambda: None
    first: Sequence[Step] = ()
    """What is committed before the work, some pairs at a time, so that no tick waits for all of them. After a
    death in between it is planned anew: it must be harmless to do it again where it was done."""


def done(words: str) -> Result:
    return Result(DONE, words)


def refused(words: str) -> Result:
    return Result(REFUSED, words)


def says(result: Result) -> Plan:
    """A plan that changes nothing."""
    return Plan(lambda _: result)


def note(command: Command, words: str) -> str:
    """Beside the move in the journal: who decided, and by which command."""
    return f"person {command.person}: {words} (command {command.id})"
