"""What only a living process can say of itself, told as the present while one lives and as its last words after."""

from collections.abc import Mapping
from typing import Any

from dirigent.explaining.why import SILENT_MS
from dirigent.output import rfc3339

OF_THE_LIVING = ("feeds", "order_stream", "circuit", "order_books", "ticks_per_s", "prices")


def as_of(known: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """A status in which nothing that a process said before it ended, or fell silent, stands as the present.

    Then `last_words` has it as it was said, and when. In its place nothing is known, but of feeds: their ages count
    on to now, and all are stale.
    """
    at_ms = int(known.get("at_ms") or 0)
    if not at_ms or (known.get("running") and now_ms - at_ms <= SILENT_MS):
        return {**known, "last_words": None}
    said = {name: known[name] for name in OF_THE_LIVING if known.get(name) is not None}
    feeds = [_stale(feed, now_ms - at_ms) for feed in known.get("feeds") or ()]
    present = dict.fromkeys(said) | ({"feeds": feeds} if "feeds" in said else {})
    return {**known, **present, "last_words": {"at_ms": at_ms, **said}}


def _stale(feed: Mapping[str, Any], passed_ms: int) -> dict[str, Any]:
    age_s = feed.get("age_s")
    age_s = None if age_s is None else round(age_s + passed_ms / 1000, 3)
    return {**feed, "source": None, "fault": None, "age_s": age_s, "stale": True}


def of_the_living(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where to read what a process says of itself, for words about it: its last ones, where it has none of now."""
    words: Mapping[str, Any] | None = known.get("last_words")
    return known if words is None else words


def marked(known: Mapping[str, Any], words: str) -> str:
    """The words of one that lives, or marked as the last ones of one that does not."""
    last = known.get("last_words")
    return words if last is None else f"last words at {rfc3339(last['at_ms'])}: {words}"
