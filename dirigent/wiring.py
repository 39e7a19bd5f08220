"""Puts an engine together: the five services and the orchestrator over a store, an exchange and a clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dirigent import strategies_from_files
from services.deals.deal_orders import DealOrders
from services.market_data_analyzer import MarketDataAnalyzer
from services.messages import PairRules, RiskLimits
from services.order_execution import OrderExecutionService, OrderTimings
from services.ports import Account, Archive, Clock, EntryGate, OrderDesk, Store
from services.risk_management import RiskManagementService
from services.signal_aggregation import SignalAggregationService, WeightedStrategy
from services.state_management import StateManagementService
from services.trading_orchestrator import TradingOrchestrator


class Memory(Store, Archive, Protocol):
    """A store that also answers for what has ended."""


class Connector(OrderDesk, Account, Protocol):
    """An exchange as the engine's services see it."""


class Choice(Protocol):
    """A configured strategy."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...

    @property
    def params(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything an engine is built from. `strategies` by symbol, as many pairs as `rules` has."""

    memory: Memory
    connector: Connector
    clock: Clock
    rules: Mapping[str, PairRules]
    strategies: Mapping[str, Sequence[Choice]]
    limits: RiskLimits = field(default_factory=RiskLimits)
    timings: OrderTimings = field(default_factory=OrderTimings)
    recent_samples: int = 0
    """Of each pair, kept to warm up strategies that are swapped in."""
    strategy_budget_ms: float = 0
    """What a user's strategy may take of a sample; 0 is unwatched, so that a replay depends on no clock."""
    at_once: bool = False
    """One caller pumps everything, as in a replay: mail is handled when it comes."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The services of one engine, wired."""

    parts: Parts
    market: MarketDataAnalyzer
    signals: SignalAggregationService
    risk: RiskManagementService
    orders: OrderExecutionService
    state: StateManagementService
    orchestrator: TradingOrchestrator

    @property
    def symbols(self) -> list[str]:
        return list(self.risk.rules)


def build(parts: Parts) -> Engine:
    """Wires and does no I/O; `services.resumption.resume` comes next.

    A symbol that the exchange does not list raises KeyError.
    """
    market = MarketDataAnalyzer(parts.clock, recent_samples=parts.recent_samples)
    state = StateManagementService(parts.memory, parts.memory, parts.clock, at_once=parts.at_once)
    signals = SignalAggregationService(market, parts.memory, budget_ms=parts.strategy_budget_ms)
    market_rules = {symbol: parts.connector.market(symbol) for symbol in parts.rules}
    risk = RiskManagementService(parts.limits, dict(parts.rules), market_rules, market, state)
    if isinstance(parts.connector, EntryGate):
        risk.heed(parts.connector)
    orders = OrderExecutionService(
        parts.connector, DealOrders(market_rules, market, state), state, parts.timings
    )
    for symbol, rules in parts.rules.items():
        market.add_symbol(symbol)
        weighted = [
            WeightedStrategy(strategies_from_files.create(choice.name, choice.params), float(choice.weight))
            for choice in parts.strategies[symbol]
        ]
        signals.configure(symbol, weighted, int(rules.signal_expires_s * 1000))
    orchestrator = TradingOrchestrator(signals, orders, risk, market, state)
    return Engine(parts, market, signals, risk, orders, state, orchestrator)
