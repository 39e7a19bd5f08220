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
    stalls_cured: int
    cured_at_ms: int | None


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


def stalls_in_words(feeds: Sequence[Mapping[str, Any]]) -> str:
    """How many streams had fallen silent and speak again, and when that last was; empty when none had."""
    cured = sum(int(feed.get("stalls_cured") or 0) for feed in feeds)
    if not cured:
        return ""
    last_ms, symbol = max((int(feed.get("cured_at_ms") or 0), str(feed["symbol"])) for feed in feeds)
    return f"{cured} stall{'' if cured == 1 else 's'} cured, the last of {symbol} at {rfc3339(last_ms)}"


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
            "stalls_cured": feed.stalls_cured,
            "cured_at_ms": feed.cured_at_ms,
        }
        for feed in venue.feeds()
    ]
