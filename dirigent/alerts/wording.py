"""What happened, in words: a line for each move of the journal, and one message of many lines."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from dirigent.alerts.channels import Message
from dirigent.configuration.monitoring_sections import ALERT_KINDS
from dirigent.output import rfc3339
from fsm.records import OrderRecord, PositionRecord
from fsm.values import Side, base_of, quote_of
from persistence.happenings import DayResult, Happening

LINES_MAX = 20
NAMES_MAX = 5

URGENT = frozenset({"halts", "quarantine", "unknown_outcomes", "store_faults"})

_NOUNS = {
    "halts": ("change of permission", "changes of permission"),
    "quarantine": ("quarantine", "quarantines"),
    "unknown_outcomes": ("unknown outcome", "unknown outcomes"),
    "store_faults": ("store fault", "store faults"),
    "stale_feeds": ("change of feeds", "changes of feeds"),
    "exits": ("exit", "exits"),
    "fills": ("fill", "fills"),
    "daily_summary": ("daily summary", "daily summaries"),
}
_ENDS = {"closed": "closed", "dust": "left as dust", "abandoned": "given up, nothing was bought"}


def message(mode: str, counts: Mapping[str, int], lines: Sequence[str]) -> Message:
    """One message of everything; what has no line of its own is counted."""
    present = [(kind, counts[kind]) for kind in ALERT_KINDS if counts.get(kind)]
    told = ", ".join(f"{count} {_NOUNS[kind][count > 1]}" for kind, count in present)
    shown = list(lines[:LINES_MAX])
    missing = sum(counts.values()) - len(shown)
    if missing > 0:
        shown.append(f"and {missing} more: `dirigent journal` has them all")
    return Message(f"dirigent ({mode}): {told}", "\n".join(shown), any(kind in URGENT for kind, _ in present))


def line(happening: Happening) -> str:
    teller = {"permission": _permission, "position": _position, "order": _order}[happening.machine]
    return f"{rfc3339(happening.at_ms)} {teller(happening)}"


def _permission(happening: Happening) -> str:
    whose = "the engine" if happening.subject_id == "engine" else happening.subject_id
    if happening.target == "active":
        return _because(f"{whose} may enter again", happening.note)
    reason = str(happening.changes.get("reason") or "")
    what = {"halted": "halted: exits only, until a person resumes", "exits_only": "exits only"}[
        happening.target
    ]
    quarantined = "quarantined, " if happening.event == "quarantined" else ""
    return _because(f"{whose} is {quarantined}{what}", reason, happening.note)


def _position(happening: Happening) -> str:
    position = happening.record
    if not isinstance(position, PositionRecord):
        return f"position {happening.subject_id} {_ENDS[happening.target]}"
    ended = f"{position.symbol} {_ENDS[happening.target]}"
    if happening.target != "abandoned":
        profit = happening.changes.get("realized_pnl", position.realized_pnl)
        ended += f": {_signed(profit)} {quote_of(position.symbol)}"
        ended += f", {position.exit_reason}" if position.exit_reason else ""
    return f"{ended} (position {position.id})"


def _order(happening: Happening) -> str:
    order = happening.record
    if not isinstance(order, OrderRecord):
        return f"order {happening.subject_id}: {happening.source} to {happening.target}"
    whose = f"(order {order.client_order_id})"
    if happening.kind == "unknown_outcomes":
        if happening.target == "unknown":
            return _because(
                f"{order.symbol} {order.side}: nobody knows what became of it {whose}", order.reason
            )
        return f"{order.symbol} {order.side}: its outcome is known, {happening.target} {whose}"
    filled = happening.changes.get("filled", order.filled)
    cost = happening.changes.get("cost", order.cost)
    verb = "bought" if order.side == Side.BUY else "sold"
    price = f" at {_short(cost / filled)} {quote_of(order.symbol)}" if filled else ""
    part = "" if happening.target == "filled" else f" of {order.amount:f}, the rest is open"
    return f"{verb} {filled:f} {base_of(order.symbol)}{price}{part} {whose}"


def _because(told: str, *reasons: str) -> str:
    given = "; ".join(reason for reason in reasons if reason)
    return f"{told}: {given}" if given else told


def feeds_line(now_ms: int, symbols: Iterable[str], *, stale: bool, limit_s: float) -> str:
    named = sorted(symbols)
    names = ", ".join(named[:NAMES_MAX])
    more = f" and {len(named) - NAMES_MAX} more" if len(named) > NAMES_MAX else ""
    what = f"no price for {limit_s:g} s" if stale else "prices come again"
    return f"{rfc3339(now_ms)} {what}: {names}{more}"


def store_line(now_ms: int, fault: str) -> str:
    told = f"the store takes nothing, no order can leave: {fault}" if fault else "the store works again"
    return f"{rfc3339(now_ms)} {told}"


def summary_lines(until_ms: int, day: DayResult, equity: Decimal, stopped: Sequence[str], quote: str) -> str:
    """One day in a few words; the day ends at `until_ms`."""
    told = f"{rfc3339(until_ms)} the day: {day.deals} deals ended, {day.wins} with a profit,"
    told += f" {_signed(day.profit)} {quote}; {day.open_positions} positions live; equity {_short(equity)} {quote}"
    return told + (f"; stopped: {', '.join(stopped[:NAMES_MAX])}" if stopped else "")


def _signed(amount: Decimal) -> str:
    return f"{_short(amount):+f}"


def _short(amount: Decimal) -> Decimal:
    """Eight significant digits: for eyes, never for books."""
    digits = 7 - amount.adjusted() if amount else 0
    short = round(amount, max(digits, 2)) if amount.is_finite() else amount
    return short.normalize() if short != short.to_integral_value() else short.quantize(Decimal(1))
