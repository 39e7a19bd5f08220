"""One deal's story as a document: what was decided and why, what was ordered, what filled, and the money."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from dirigent.commands.listing import in_words
from fsm.order import ORDER, UNKNOWN
from fsm.permission import QUARANTINED
from fsm.position import EXIT_TRIGGERED, POSITION
from fsm.records import Fill, OrderRecord, PositionRecord
from fsm.table import DEADLINE_PASSED
from fsm.values import MONEY, ZERO, Side, Verdict, base_of, quote_of
from persistence.story import Event, Story

_RULES = ("take_profit", "stop_loss", "trailing_stop", "max_hold_s", "exit_on_sell_signal")


def document(story: Story) -> dict[str, Any]:
    position = story.position
    return {
        "id": position.id,
        "symbol": position.symbol,
        "state": position.state,
        "reason": position.reason,
        "created_at": position.created_at_ms,
        "opened_at": position.opened_at_ms,
        "closed_at": position.closed_at_ms,
        "signal": _signal(story),
        "decision": _decision(story),
        "rules": _rules(position),
        "orders": [_order(story, order) for order in story.orders],
        "exit": _exit(story),
        "money": money(story),
        "anomalies": [_anomaly(event) for event in _anomalies(story)],
        "permissions": [_happening(event) for event in story.permissions],
        "restarts": [{"epoch": epoch, "first_entry_at": at_ms} for epoch, at_ms in story.starts[1:]],
        "events": [_happening(event) for event in story.events],
    }


def _signal(story: Story) -> dict[str, Any] | None:
    """None for a deal that no signal began: one that a person gave to the engine."""
    position = story.position
    if not position.signal_id:
        return None
    return {
        "id": position.signal_id,
        "at": story.signal_at_ms,
        "votes": position.reason if story.decided is None else _reason_at_birth(story),
        "accepted_at": story.signalled.at_ms if story.signalled else None,
        "guards": _guards(story.signalled.verdicts if story.signalled else ()),
        **in_words({"strategy": position.strategy}),
    }


def _reason_at_birth(story: Story) -> str:
    """The position's own reason may have been overwritten since; the pair's entry has the signal's."""
    assert story.decided is not None
    return str(story.decided.changes.get("reason", story.position.reason))


def _decision(story: Story) -> dict[str, Any] | None:
    decided = story.decided
    if decided is None:
        return None
    return {
        "seq": decided.seq,
        "at": decided.at_ms,
        "event": decided.event,
        "guards": _guards(decided.verdicts),
        "reference_price": story.position.reference_price,
        "quota": story.position.quota,
    }


def _rules(position: PositionRecord) -> dict[str, Any]:
    """The exits it was born with; the empty record of a foreign deal has none."""
    rules = json.loads(position.rules) if position.rules else {}
    return {name: rules.get(name) for name in _RULES}


def _order(story: Story, order: OrderRecord) -> dict[str, Any]:
    events = [event for event in story.events if event.subject_id == order.client_order_id]
    ended = next((event.at_ms for event in reversed(events) if event.target in ORDER.finals), None)
    took_ms = ended - order.created_at_ms if ended is not None and order.state in ORDER.finals else None
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "leg": order.leg,
        "side": order.side,
        "type": order.type,
        "state": order.state,
        "amount": order.amount,
        "price": order.price,
        "filled": order.filled,
        "average": order.average,
        "cost": order.cost,
        "created_at": order.created_at_ms,
        "ended_at": ended if took_ms is not None else None,
        "took_ms": took_ms,
        "reason": order.reason,
        "cancel_reason": order.cancel_reason,
        "unknown": list(_unknown(events)),
        "fills": [_fill(fill) for fill in story.fills if fill.client_order_id == order.client_order_id],
    }


def _unknown(events: Iterable[Event]) -> Iterable[dict[str, Any]]:
    """Each time that nobody knew what became of it: from when, until when, and what settled it."""
    began: int | None = None
    for event in events:
        if event.target == UNKNOWN and event.source != UNKNOWN:
            began = event.at_ms
        elif event.source == UNKNOWN and event.target != UNKNOWN:
            yield {"since_at": began, "until": event.at_ms, "settled_by": event.event, "as": event.target}
            began = None
    if began is not None:
        yield {"since_at": began, "until": None, "settled_by": "", "as": UNKNOWN}


def _fill(fill: Fill) -> dict[str, Any]:
    return {
        "id": fill.id,
        "at": fill.at_ms,
        "side": fill.side,
        "amount": fill.amount,
        "price": fill.price,
        "fee": fill.fee,
        "fee_currency": fill.fee_currency,
    }


def _exit(story: Story) -> dict[str, Any] | None:
    position = story.position
    if not position.exit_reason:
        return None
    triggered = next(
        (
            event
            for event in story.events
            if event.machine == POSITION.name
            and event.outcome == "moved"
            and (event.event == EXIT_TRIGGERED or (event.event == DEADLINE_PASSED and event.source == "open"))
        ),
        None,
    )
    return {
        "reason": position.exit_reason,
        "triggered_at": triggered.at_ms if triggered else None,
        "guards": _guards(triggered.verdicts if triggered else ()),
        "high_water": position.high_water,
    }


def money(story: Story) -> dict[str, Any]:
    """The sums of the deal; `adds_up` says that its fills and its books tell the same."""
    position = story.position
    earned = MONEY.subtract(MONEY.subtract(position.received, position.spent), position.fee_quote)
    held = MONEY.add(position.quantity, position.dust)
    ended = position.closed_at_ms is not None
    worth = None
    if position.quantity and story.last_price is not None:
        worth = MONEY.multiply(position.quantity, story.last_price)
    return {
        "base": base_of(position.symbol),
        "quote": quote_of(position.symbol),
        "bought": position.bought,
        "spent": position.spent,
        "entry_price": position.entry_price,
        "sold": position.sold,
        "received": position.received,
        "exit_price": position.exit_price,
        "fee_base": position.fee_base,
        "fee_quote": position.fee_quote,
        "fees_in_other_coins": _other_fees(story),
        "quantity": position.quantity,
        "dust": position.dust,
        "profit": position.realized_pnl if ended else None,
        "return": MONEY.divide(earned, position.spent) if ended and position.spent else None,
        "last_price": story.last_price if worth is not None else None,
        "last_price_at": story.last_price_at_ms if worth is not None else None,
        "worth": worth,
        "profit_if_sold_at_last_price": None if worth is None else MONEY.add(earned, worth),
        "adds_up": (not ended or earned == position.realized_pnl)
        and _held_by_sums(position) == held
        and _fills_agree(story),
    }


def _held_by_sums(position: PositionRecord) -> Decimal:
    return MONEY.subtract(MONEY.subtract(position.bought, position.sold), position.fee_base)


def _fills_agree(story: Story) -> bool:
    """A fill that its order has not booked yet cannot be: both are written in one transaction."""
    for order in story.orders:
        filled = cost = ZERO
        for fill in story.fills:
            if fill.client_order_id == order.client_order_id:
                filled = MONEY.add(filled, fill.amount)
                cost = MONEY.add(cost, MONEY.multiply(fill.price, fill.amount))
        if (filled, cost) != (order.filled, order.cost):
            return False
    entries = sum((order.filled for order in story.orders if order.side == Side.BUY), ZERO)
    return entries == story.position.bought or not story.position.signal_id


def _other_fees(story: Story) -> dict[str, Decimal]:
    """Fees in a third coin are with their fills, and no part of the profit."""
    known = (base_of(story.position.symbol), quote_of(story.position.symbol))
    fees: dict[str, Decimal] = {}
    for fill in story.fills:
        if fill.fee and fill.fee_currency not in known:
            fees[fill.fee_currency] = MONEY.add(fees.get(fill.fee_currency, ZERO), fill.fee)
    return fees


def _anomalies(story: Story) -> list[Event]:
    own = [event for event in story.events if event.outcome == "anomaly"]
    return own + [event for event in story.permissions if event.event == QUARANTINED]


def _anomaly(event: Event) -> dict[str, Any]:
    return {**_happening(event), "words": event.note or str(event.changes.get("reason", ""))}


def _happening(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": event.at_ms,
        "machine": event.machine,
        "subject_id": event.subject_id,
        "event": event.event,
        "source": event.source,
        "target": event.target,
        "outcome": event.outcome,
        "guards": _guards(event.verdicts),
        "reason": str(event.changes.get("reason", "")),
        "note": event.note,
        "epoch": event.epoch,
    }


def _guards(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    return [
        {"guard": verdict.guard, "holds": verdict.holds, "because": verdict.because} for verdict in verdicts
    ]
