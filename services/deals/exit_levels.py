"""At which prices a position wants attention: stop-loss, take-profit, trailing stop, and an entry left behind."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fsm import position as machine
from fsm.records import OrderRecord, PositionRecord
from fsm.values import ZERO, ExitReason, OrderType
from services.messages import PairRules

NEVER_ABOVE = Decimal("Infinity")
NEVER_BELOW = Decimal("-Infinity")
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class DealRules:
    """The rules that a position was born with; a changed configuration does not reach it."""

    order_type: str
    take_profit: Decimal | None
    stop_loss: Decimal | None
    trailing_stop: Decimal | None
    max_hold_s: float | None
    exit_on_sell_signal: bool
    entry_max_age_s: float
    entry_max_deviation: Decimal | None
    entry_attempts: int


@lru_cache(maxsize=1024)
def write_rules(rules: PairRules) -> str:
    """The part of a pair's rules that a position remembers, as canonical JSON."""
    kept = {name: getattr(rules, name) for name in DealRules.__dataclass_fields__}
    text = {name: str(value) if isinstance(value, Decimal) else value for name, value in kept.items()}
    return json.dumps(text, separators=(",", ":"), sort_keys=True)


@lru_cache(maxsize=1024)
def read_rules(text: str) -> DealRules:
    data: Mapping[str, Any] = json.loads(text)
    fractions = ("take_profit", "stop_loss", "trailing_stop", "entry_max_deviation")
    exact = {name: None if data[name] is None else Decimal(data[name]) for name in fractions}
    return DealRules(**{**data, **exact})


@dataclass(slots=True)
class Watch:
    """The band within which a price leaves the position alone, and the trailing stop that moves with it.

    `below` and `above` trigger when touched. Of an entering position only `above` is set: the entry was left behind.
    """

    position_id: str
    is_entry: bool
    stop: Decimal
    take: Decimal
    trail: Decimal | None
    high: Decimal
    below: Decimal
    above: Decimal

    def lift(self, price: Decimal) -> None:
        """A new high pulls the trailing stop up; it never comes down."""
        if self.trail is None or price <= self.high:
            return
        self.high = price
        self.below = max(self.stop, price * (ONE - self.trail))

    def reason_at(self, price: Decimal) -> ExitReason:
        if price >= self.above:
            return ExitReason.TAKE_PROFIT
        if price <= self.stop:
            return ExitReason.STOP_LOSS
        return ExitReason.TRAILING_STOP


def watch_open(position: PositionRecord) -> Watch:
    """The exit levels of an open position, from its average entry price and its highest price so far."""
    rules = read_rules(position.rules)
    entry = position.entry_price or position.reference_price
    stop = NEVER_BELOW if rules.stop_loss is None else entry * (ONE - rules.stop_loss)
    take = NEVER_ABOVE if rules.take_profit is None else entry * (ONE + rules.take_profit)
    high = max(position.high_water, entry)
    below = stop if rules.trailing_stop is None else max(stop, high * (ONE - rules.trailing_stop))
    return Watch(position.id, False, stop, take, rules.trailing_stop, high, below, take)


def watch_entering(position: PositionRecord, order: OrderRecord | None) -> Watch | None:
    """A resting limit entry is watched for a market that rises away from it, and what filled of it for its stop."""
    rules = read_rules(position.rules)
    if order is None or order.type != OrderType.LIMIT or order.price is None:
        return None
    deviation = rules.entry_max_deviation
    above = NEVER_ABOVE if deviation is None else order.price * (ONE + deviation)
    stop = NEVER_BELOW
    if position.bought > ZERO and rules.stop_loss is not None and position.entry_price is not None:
        stop = position.entry_price * (ONE - rules.stop_loss)
    return Watch(position.id, True, stop, above, None, ZERO, stop, above)


def watch_of(position: PositionRecord, entry_order: OrderRecord | None) -> Watch | None:
    if position.state == machine.OPEN:
        return watch_open(position)
    if position.state == machine.ORDERING:
        return watch_entering(position, entry_order)
    return None
