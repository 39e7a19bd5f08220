"""The effects of the pair and of the permission: considering an entry, giving birth to a deal, pausing."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from fsm.commit import OfferedSignal
from fsm.pair import ENTRY_CONSIDERED, POSITIONS_CHANGED
from fsm.position import ABANDONED, CLOSED, DUST, ENTRY_PLANNED, ENTRY_SIGNALLED, IDLE
from fsm.records import OrderRecord, PairRecord, PermissionRecord, PositionRecord, Record
from services.deals.exit_levels import write_rules
from services.deals.order_ids import position_id
from services.deals.pair_guards import PAIR_GUARDS
from services.market_data_analyzer import MarketDataAnalyzer
from services.messages import PairRules, Signal
from services.signal_aggregation import SignalAggregationService
from services.state_management import StateManagementService
from services.turns.bindings import Bindings
from services.turns.turn import Happening, Turn
from services.turns.turn_runner import note_anomaly


class PairCoordination:
    """The effects of the pair; holds nothing but references to the services."""

    def __init__(
        self,
        rules: dict[str, PairRules],
        signals: SignalAggregationService,
        market: MarketDataAnalyzer,
        state: StateManagementService,
    ) -> None:
        self.rules = rules
        self.signals = signals
        self.market = market
        self.state = state
        self.bindings = Bindings(
            guards={"pair": {**PAIR_GUARDS}},
            effects={
                "pair": {
                    "consider_entry": self.consider_entry,
                    "plan_entry": self.plan_entry,
                    "drop_signal": self.drop_signal,
                },
                "position": {"tell_pair": self.tell_pair},
                "order": {"note_anomaly": self.note_anomaly},
                "permission": {"clear_reason": self.clear_reason},
            },
            deadlines={
                "signal_expiry": lambda _, pair: int(_kept(pair.signal)["expires_at_ms"]),
                "pause": lambda _, permission: permission.due_at_ms,
            },
        )

    def consider_entry(self, turn: Turn, pair: PairRecord, _: Happening) -> None:
        turn.raise_event("pair", pair.symbol, ENTRY_CONSIDERED)

    def plan_entry(self, turn: Turn, pair: PairRecord, _: Happening) -> None:
        signal = _kept(pair.signal)
        position = PositionRecord(
            state=IDLE,
            id=position_id(self.state.tag, self.state.next_position_number()),
            symbol=pair.symbol,
            strategy=self.signals.describe(pair.symbol),
            rules=write_rules(self.rules[pair.symbol]),
            signal_id=signal["id"],
            quota=self.rules[pair.symbol].deal_quota,
            reference_price=self.market.market(pair.symbol).last,
            reason=signal["reason"],
            created_at_ms=turn.now_ms,
        )
        pair.entry_position_id, pair.signal, pair.reason = position.id, "", signal["reason"]
        turn.give_birth(position)
        turn.raise_event("position", position.id, ENTRY_SIGNALLED)
        turn.raise_event("position", position.id, ENTRY_PLANNED)

    def drop_signal(self, turn: Turn, pair: PairRecord, happening: Happening) -> None:
        pair.signal = ""
        pair.reason = turn.because or f"signal dropped: {happening.event}"

    def tell_pair(self, turn: Turn, position: PositionRecord, _: Happening) -> None:
        pause_ms = int(self.rules[position.symbol].cooldown_s * 1000) if position.symbol in self.rules else 0
        ended = position.state in (CLOSED, DUST, ABANDONED)
        until_ms = turn.now_ms + pause_ms

        def update(pair: PairRecord) -> None:
            if ended and pause_ms and position.bought:
                pair.cooldown_until_ms = max(pair.cooldown_until_ms, until_ms)
            if pair.entry_position_id == position.id:
                pair.entry_position_id = ""
            if ended:
                pair.reason = ""

        turn.raise_event("pair", position.symbol, POSITIONS_CHANGED, update)

    def note_anomaly(self, turn: Turn, order: OrderRecord, happening: Happening) -> None:
        note = f"it was believed {order.reason or 'dead'}: {happening.event}"
        note_anomaly(turn, order, happening.event, note)

    def clear_reason(self, turn: Turn, permission: PermissionRecord, _: Happening) -> None:
        permission.reason = ""


def accept_signal(signal: Signal) -> Callable[[Record], None]:
    """Writes an offered signal into the pair, where it waits for a fresh price and survives a restart."""

    def update(record: Record) -> None:
        assert isinstance(record, PairRecord)
        kept = {"id": signal.id, "reason": signal.reason, "expires_at_ms": signal.expires_at_ms}
        record.signal = _canonical(kept)

    return update


_canonical = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


@lru_cache(maxsize=64)
def _kept(signal: str) -> Mapping[str, Any]:
    """What a pair keeps of an accepted signal; asked for several times a deal."""
    kept: Mapping[str, Any] = json.loads(signal)
    return kept


def remember_signal(turn: Turn, signal: Signal, outcome: str) -> None:
    turn.signals.append(OfferedSignal(signal.id, signal.symbol, signal.side, outcome, signal.at_ms))
