"""The sections of those who watch from outside: metrics for a scraper, alerts for people."""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, SecretStr

from dirigent.configuration.sections import Section
from dirigent.configuration.values import OFF, Count, Duration, refusal

AlertKind = Literal[
    "halts",
    "quarantine",
    "unknown_outcomes",
    "store_faults",
    "stale_feeds",
    "exits",
    "fills",
    "daily_summary",
]
"""What people are told of, the most urgent first."""

ALERT_KINDS: tuple[AlertKind, ...] = get_args(AlertKind)

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _port(value: Any) -> Any:
    if value == OFF:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise refusal("not a port", 'write a whole number such as 9108, or "off"')
    if int(value) > 65535:
        raise refusal("not a port", "write a number up to 65535; 0 takes any that is free")
    return int(value)


def _url(value: Any) -> Any:
    """Its words never repeat the address: it holds a token."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not _URL.fullmatch(text):
        raise refusal("not the address of a channel", 'write it as apprise does, such as "ntfy://topic"')
    return value


def _time_of_day(value: Any) -> Any:
    if value == OFF:
        return None
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        raise refusal("not a time of day", 'write hours and minutes in UTC, such as "00:00", or "off"')
    return value


ChannelUrl = Annotated[SecretStr, BeforeValidator(_url)]


class MetricsSection(Section):
    port: Annotated[int | None, BeforeValidator(_port)] = Field(
        default=None, description="of the page /metrics for Prometheus, such as 9108"
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="address it listens on: anyone who reaches it can read"
    )


class AlertsSection(Section):
    urls: tuple[ChannelUrl, ...] = Field(
        default=(), description="channels as apprise writes them; secret, since they hold tokens"
    )
    events: tuple[AlertKind, ...] = Field(default=ALERT_KINDS, description="what is told")
    group_s: Duration = Field(
        default=5, description="seconds that are waited for more before a message leaves"
    )
    messages_per_hour: Count = Field(
        default=30, description="at most, to each channel; what is more waits for the next message"
    )
    stale_feed_s: Duration = Field(
        default=60, description="seconds without a price after which a feed is called stale"
    )
    daily_summary_at: Annotated[str | None, BeforeValidator(_time_of_day)] = Field(
        default="00:00", description="time of day, UTC, at which the day before it is summed up"
    )
