"""A market story as a text file: a title, settings, then what happens and what must hold, a line each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios.phrases import CLAIMS, HAPPENINGS
from tests.scenarios.terms import Terms, read_term


class StoryError(Exception):
    """A story that cannot be read or told; the message begins with file and line."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line: something that happens, or a claim about what must hold at that moment."""

    place: str
    text: str
    verb: str
    places: Mapping[str, Any]
    is_claim: bool


@dataclass(frozen=True, slots=True)
class Story:
    """A file that was understood to its last line."""

    title: str
    terms: Terms
    steps: tuple[Step, ...]


def read_story(path: Path) -> Story:
    """Lines that begin with `#` say something to the reader only. Raises StoryError."""
    lines = list(_lines(path))
    if not lines:
        raise StoryError(f"{path.name}: the file is empty; it begins with a title")
    title = lines.pop(0)[1]
    terms = Terms()
    steps: list[Step] = []
    for place, text in lines:
        name, colon, value = text.partition(": ")
        if colon and not steps and not text.startswith("then "):
            terms = _with_term(place, terms, name, value.strip())
        else:
            steps.append(_step(place, text))
    if not any(step.is_claim for step in steps):
        raise StoryError(f"{path.name}: the story claims nothing; end it with a line that begins with `then`")
    if steps[0].verb != "start":
        raise StoryError(
            f"{steps[0].place}: {steps[0].text!r} comes before the market starts; begin: start at 100"
        )
    return Story(title, terms, tuple(steps))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield f"{path.name}, line {number}", text


def _with_term(place: str, terms: Terms, name: str, value: str) -> Terms:
    try:
        return read_term(terms, name, value)
    except (ValueError, ArithmeticError) as error:
        raise StoryError(f"{place}: {name}: {error}") from error


def _step(place: str, text: str) -> Step:
    for phrases, is_claim in ((HAPPENINGS, False), (CLAIMS, True)):
        for phrase in phrases:
            places = phrase.read(text)
            if places is not None:
                return Step(place, text, phrase.verb, places, is_claim)
    known = "\n".join(f"  {phrase.pattern}" for phrase in (*HAPPENINGS, *CLAIMS))
    raise StoryError(f"{place}: {text!r} is no sentence of a story; these are:\n{known}")
