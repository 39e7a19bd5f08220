"""What no journal tells and people want to hear of: feeds that went silent, and days that ended."""

from dirigent.monitoring.observed import Observed

DAY_MS = 86_400_000


def stale_feeds(run: Observed, limit_s: float) -> list[str]:
    """The symbols without a price for longer than the limit, counted from the start of the run at the earliest."""
    oldest_ms = run.clock.now_ms() - int(limit_s * 1000)
    if run.heartbeat.started_at_ms > oldest_ms:
        return []
    market = run.engine.market
    return [symbol for symbol in run.engine.symbols if market.market(symbol).at_ms < oldest_ms]


def last_summary_ms(now_ms: int, time_of_day: str) -> int:
    """The last moment that was, in UTC, this time of day."""
    hours, minutes = time_of_day.split(":")
    offset_ms = (int(hours) * 60 + int(minutes)) * 60_000
    return (now_ms - offset_ms) // DAY_MS * DAY_MS + offset_ms
