"""What `status` tells of the way to an exchange: prices, order reports, and whether requests go out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

from dirigent.output import rfc3339


class FeedTold(Protocol):
    """How one symbol's prices come in."""

    symbol: str
    source: str
    age_ms: int | None
    is_stale: bool
    reconnects: int
    fault: str


@runtime_checkable
class TellsFeeds(Protocol):
    """A venue whose prices come over a network, and can fail to."""

    def feeds(self) -> Sequence[FeedTold]: ...


@runtime_checkable
class TellsLink(Protocol):
    """A venue with an account behind a network."""

    def order_stream_status(self) -> Any: ...

    def breaker_status(self) -> Any: ...


def connection_of(venue: object) -> dict[str, Any]:
    """What `status` tells of the way to the exchange: prices, order reports, whether requests go out."""
    told: dict[str, Any] = {"feeds": _feeds_told(venue) if isinstance(venue, TellsFeeds) else []}
    if isinstance(venue, TellsLink):
        told["order_stream"] = asdict(venue.order_stream_status())
        told["circuit"] = _circuit_told(asdict(venue.breaker_status()))
    return told


def _circuit_told(status: dict[str, Any]) -> dict[str, Any]:
    """Under a name that `dirigent.output` takes for a moment."""
    return {"open_until_ms" if name == "until_ms" else name: value for name, value in status.items()}


def order_stream_in_words(told: Mapping[str, Any]) -> str:
    """How order reports come in, and what is wrong with that."""
    way = str(told.get("source"))
    if way == "stream" and not told.get("is_connected"):
        way = "stream, not connected"
    return f"{way}: {told['fault']}" if told.get("fault") else way


def circuit_in_words(told: Mapping[str, Any]) -> str:
    """Whether requests go out, and if not, until when and why."""
    words, until_ms = str(told.get("circuit")), told.get("open_until_ms")
    if until_ms:
        words += f" until {rfc3339(int(until_ms))}"
    return words if words == "closed" else f"{words}: {told.get('why')}"


def _feeds_told(venue: TellsFeeds) -> list[dict[str, Any]]:
    return [
        {
            "symbol": feed.symbol,
            "source": str(feed.source),
            "age_s": None if feed.age_ms is None else feed.age_ms / 1000,
            "stale": feed.is_stale,
            "reconnects": feed.reconnects,
            "fault": feed.fault,
        }
        for feed in venue.feeds()
    ]
