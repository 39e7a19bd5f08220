"""A moment as people type it: RFC 3339 with its offset, how long ago, or the number of a journal entry."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from persistence.past import Wish

_AGO = re.compile(r"-?(\d{1,9})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SEQ = re.compile(r"\d{1,18}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(value: str, now_ms: int) -> int | None:
    """Of a time, or of how long ago; None when it is neither. Raises click.BadParameter without an offset."""
    if match := _AGO.fullmatch(value):
        return now_ms - int(match[1]) * _SECONDS[match[2]] * 1000
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{value!r} says no offset from UTC; add Z, or one such as +02:00")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def wish(_context: click.Context, _parameter: click.Parameter, value: str | None) -> "Wish | None":
    """For an option that names a past moment; None when it was not given."""
    return None if value is None else parse(value.strip(), int(time.time() * 1000))


def parse(value: str, now_ms: int) -> "Wish":
    """Raises click.BadParameter."""
    from persistence.past import Wish

    if _SEQ.fullmatch(value):
        return Wish(seq=int(value), now_ms=now_ms)
    at_ms = milliseconds(value, now_ms)
    if at_ms is None:
        raise click.BadParameter(
            f"{value!r} is no moment; write 2026-01-31T12:00:00Z, or -10m, -2h, -1d for how long ago,"
            " or the number of a journal entry"
        )
    return Wish(at_ms=at_ms, now_ms=now_ms)
