"""What would have to change for a guard to hold: its numbers as a comparison, and who or what can move them."""

import re

_OVER = re.compile(r"(?P<have>.+?), limit (?P<limit>.+)")
_FULL = re.compile(r"(?P<have>\d+/\d+ .+?)(, .+)?")
_SHORT = re.compile(r"(?P<have>.+?) of at least (?P<least>.+)")
_POOR = re.compile(r"(?P<have>.+?) available, (?P<need>.+?) needed")

_NOUNS = {
    "max_spread": "spread ",
    "max_price_jump": "jump of the price ",
    "max_exposure": "exposure ",
    "max_pair_exposure": "exposure of the pair ",
    "max_drawdown": "equity ",
    "price_is_fresh": "the last price is ",
    "min_amount": "amount ",
    "min_notional": "worth ",
}

_REMEDIES = {
    "a_signal_was_given": "the strategies have to give a buy signal",
    "no_entry_in_flight": "the entry in flight has to fill, or to be given up",
    "signal_is_new": "only a signal with an id that was never offered is taken",
    "signal_is_fresh": "a signal has to arrive before it expires; see signal_expires_s of the pair",
    "outcomes_are_known": "the exchange has to say what became of the order: it is looked up for ever;"
    " `dirigent reconcile` shows it",
    "cooldown_is_over": "wait, or lower cooldown_s of the pair",
    "price_is_fresh": "the feed has to bring a price: look at the log and the exchange",
    "max_deals": "a deal of this pair has to end, or raise max_deals of the pair",
    "max_open_deals": "a deal of any pair has to end, or raise max_open_deals in [risk]",
    "max_pair_exposure": "a deal of this pair has to end, or raise max_exposure of the pair",
    "max_exposure": "a deal has to end, or raise max_exposure in [risk]",
    "balance": "money has to come free, or lower deal_quota of the pair",
    "min_amount": "raise deal_quota of the pair: the exchange takes no smaller order",
    "min_notional": "raise deal_quota of the pair: the exchange takes no smaller order",
    "max_spread": "the market has to come closer together, or raise max_spread in [risk]",
    "max_price_jump": "the next quiet price lifts it, or raise max_price_jump in [risk]",
    "max_daily_loss": "the next day (UTC) lifts it, or raise max_daily_loss in [risk]",
    "max_drawdown": "equity has to recover, or a person resumes the engine: that begins a new drawdown",
    "max_orders_per_minute": "wait, or raise max_orders_per_minute in [risk]",
}

SETTLED_BY_PERMISSION = "entry_is_permitted"


def to_change(guard: str, because: str) -> str:
    """For a guard that fails: `spread 0.3100% > 0.3000%: the market has to come closer together, or ...`."""
    remedy = _REMEDIES.get(guard, "")
    return ": ".join(part for part in (compared(guard, because), remedy) if part)


def compared(guard: str, because: str) -> str:
    noun = _NOUNS.get(guard, "")
    if match := _OVER.fullmatch(because):
        sign = ">=" if guard in ("max_daily_loss", "max_drawdown") else ">"
        return f"{noun}{match['have']} {sign} {match['limit']}"
    if match := _SHORT.fullmatch(because):
        return f"{noun}{match['have']} < {match['least']}"
    if match := _POOR.fullmatch(because):
        return f"{match['have']} available < {match['need']} needed"
    if match := _FULL.fullmatch(because):
        return match["have"]
    return because


def way_out(scope: str, state: str, until: str) -> str:
    """How a stopped permission becomes active again."""
    command = "dirigent resume" if scope == "engine" else f"dirigent resume {scope}"
    waits = f"it ends by itself at {until}; sooner by" if until else "it ends by no time, but by"
    if state == "halted":
        waits = "a person has to look, then"
    return f"{waits} `{command}`"
