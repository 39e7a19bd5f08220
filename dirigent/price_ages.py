"""How many prices the engine judges stale, by how much, and when this machine's clock is to be suspected of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirigent.wiring import Engine


def told(engine: "Engine", feeds: Sequence[Mapping[str, Any]], now_ms: int) -> dict[str, Any]:
    """For the heartbeat. `feeds` say of each symbol how long ago a price arrived; a price's age is by its own time."""
    limit_s = float(engine.risk.limits.stale_after_s)
    markets = (engine.market.market(symbol) for symbol in engine.symbols)
    ages_s = [(now_ms - market.at_ms) / 1000 for market in markets if market.at_ms]
    stale = [age_s for age_s in ages_s if age_s > limit_s]
    arrive = bool(feeds) and all(feed["age_s"] is not None and not feed["stale"] for feed in feeds)
    return {
        "prices": {
            "judged_stale": len(stale),
            "of": len(engine.symbols),
            "stale_age_s_min": min(stale, default=None),
            "stale_age_s_max": max(stale, default=None),
            "stale_after_s": limit_s,
            "hint": _hint(min(stale)) if arrive and stale and len(stale) == len(ages_s) else "",
        }
    }


def _hint(youngest_s: float) -> str:
    return (
        f"every price arrives fresh, and is {youngest_s:.0f} s old or more by its own time: this machine's clock is"
        " probably ahead of the exchange's by about that; nothing is entered until it is right: set it by NTP, and"
        " see dirigent doctor"
    )


def in_words(prices: Mapping[str, Any]) -> str:
    """Empty unless one is judged stale."""
    if not prices.get("judged_stale"):
        return ""
    least, most = f"{prices['stale_age_s_min']:.1f}", f"{prices['stale_age_s_max']:.1f}"
    return (
        f"{prices['judged_stale']} of {prices['of']} judged stale: {least if least == most else f'{least} to {most}'}"
        f" s old by their own time, allowed are {prices['stale_after_s']:g} s"
    )
