"""What one channel has been told: kept in the store with the journal's number, so that a restart goes on from there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

HOUR_MS = 3_600_000
URGENT_SHARE = 5
"""One message in so many is kept back for what is urgent."""


@dataclass(slots=True)
class ChannelMemory:
    """`seq` is the last entry of the journal that this channel knows of."""

    seq: int
    summary_at_ms: int
    """The moment up to which days have been summed up for it."""
    stale: list[str] = field(default_factory=list)
    """The feeds it believes to be stale."""
    sent_at_ms: list[int] = field(default_factory=list)
    """When the messages of the last hour left."""

    def to_fact(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    def note_sent(self, now_ms: int) -> None:
        self.sent_at_ms = [at for at in self.sent_at_ms if at > now_ms - HOUR_MS]
        self.sent_at_ms.append(now_ms)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one channel may be told."""

    per_hour: int
    """Messages in any hour at most."""
    gap_ms: int
    """Between two messages at least."""
    is_urgent: bool = False


def ready_at_ms(sent_at_ms: Sequence[int], now_ms: int, pace: Pace) -> int:
    """When the next message may leave.

    Half of the hour's messages may leave as they come; the others are spread over an hour, so that a flood is
    followed by reports of it and not by silence. A part of them is kept for what is urgent.
    """
    recent = [at for at in sent_at_ms if at > now_ms - HOUR_MS]
    if not recent:
        return now_ms
    reserved = 0 if pace.is_urgent else pace.per_hour // URGENT_SHARE
    most = max(pace.per_hour - reserved, 1)
    free = pace.per_hour // 2 if not pace.is_urgent else pace.per_hour - pace.per_hour // URGENT_SHARE
    gap_ms = pace.gap_ms if len(recent) < free else max(pace.gap_ms, 2 * HOUR_MS // pace.per_hour)
    ready = recent[-1] + gap_ms
    if len(recent) >= most:
        ready = max(ready, recent[-most] + HOUR_MS)
    return max(ready, now_ms)


def fact_name(key: str) -> str:
    return f"alerts:{key}"


def from_fact(text: str | None) -> ChannelMemory | None:
    """None when there is none, or none that can be read: then the channel begins anew, as a new one does."""
    try:
        held = json.loads(text or "")
        memory = ChannelMemory(**held)
        whole = (memory.seq, memory.summary_at_ms, *memory.sent_at_ms)
    except (ValueError, TypeError):
        return None
    if not isinstance(held, Mapping) or not all(type(number) is int for number in whole):
        return None
    return memory if all(isinstance(symbol, str) for symbol in memory.stale) else None
