"""The set of traded pairs while the engine runs: pairs come, and pairs leave and are then gone."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from dirigent import strategies_from_files
from dirigent.configuration.sections import PairSection, StrategyChoice
from dirigent.steering.feeds import Feeds
from dirigent.wiring import Engine
from fsm.pair import IDLE, SIGNALLED
from fsm.permission import ACTIVE
from fsm.records import PairRecord, PermissionRecord
from fsm.values import quote_of
from services.messages import MarketRules, PairRules
from services.signal_aggregation import WeightedStrategy


class Markets(Protocol):
    def market(self, symbol: str) -> MarketRules:
        """Raises KeyError for what is not listed."""


@runtime_checkable
class Lists(Protocol):
    """An exchange that has to be told of a market before it is asked for it."""

    def add_symbol(self, symbol: str) -> None: ...


class PairSet:
    """Changes memory only, and may do so twice; what is stored is the command's own matter."""

    def __init__(self, engine: Engine, exchange: Markets, feeds: Feeds, configured: Iterable[str]) -> None:
        """What the engine was built with and is not `configured` only leaves."""
        self._engine = engine
        self._exchange = exchange
        self._feeds = feeds
        self._leaving = set(engine.risk.rules) - set(configured)
        self._arriving: set[str] = set()

    def refusal(self, section: PairSection) -> str:
        """Why this pair cannot be traded; empty when it can."""
        symbol = section.symbol
        if self.is_traded(symbol):
            return f"{symbol} is traded already"
        quote = quote_of(next(iter(self._engine.risk.rules)))
        if quote_of(symbol) != quote:
            return f"{symbol} is not in {quote}; trade it with an engine of its own"
        try:
            self._market_rules(symbol)
        except KeyError:
            return f"the exchange does not list {symbol}"
        return ""

    def _market_rules(self, symbol: str) -> MarketRules:
        if isinstance(self._exchange, Lists):
            self._exchange.add_symbol(symbol)
        return self._exchange.market(symbol)

    def is_traded(self, symbol: str) -> bool:
        return symbol in self._engine.risk.rules and symbol not in self._leaving | self._arriving

    @property
    def traded(self) -> list[str]:
        return [symbol for symbol in self._engine.risk.rules if self.is_traded(symbol)]

    def admit(self, section: PairSection) -> str:
        """Makes the pair known to every service; how its strategies are described. Its feed begins by `begin`."""
        engine, symbol = self._engine, section.symbol
        rules = rules_of(section)
        working = engine.state.working
        engine.risk.market_rules[symbol] = self._market_rules(symbol)
        engine.market.add_symbol(symbol)
        self.seat(symbol, section.strategy, rules)
        if symbol not in working.pairs:
            working.put(PairRecord(state=IDLE, symbol=symbol))
        if symbol not in working.permissions:
            working.put(PermissionRecord(state=ACTIVE, scope=symbol))
        engine.risk.rules[symbol] = rules
        if symbol not in self._leaving:
            self._arriving.add(symbol)
        return engine.signals.describe(symbol)

    def withdraw(self, symbol: str) -> None:
        """Takes back what `admit` did to a pair that does not come after all."""
        if symbol in self._arriving:
            self._arriving.discard(symbol)
            self._engine.risk.rules.pop(symbol, None)

    def begin(self, symbol: str) -> None:
        self._leaving.discard(symbol)
        self._arriving.discard(symbol)
        self._feeds.begin(symbol)

    def seat(self, symbol: str, choices: Sequence[StrategyChoice], rules: PairRules) -> None:
        """Raises StrategyError, or what a strategy's own code raises, having changed nothing."""
        signals = self._engine.signals
        weighted = [
            WeightedStrategy(strategies_from_files.create(choice.name, choice.params), float(choice.weight))
            for choice in choices
        ]
        if signals.why_not(symbol) == "no strategy is configured":
            signals.configure(symbol, weighted, int(rules.signal_expires_s * 1000))
        else:
            signals.replace(symbol, weighted)

    def dismiss(self, symbol: str) -> str:
        """From now on the pair only leaves; how its silence is described."""
        rules = self._engine.risk.rules
        rules[symbol] = replace(rules[symbol], max_deals=0)
        external = StrategyChoice(name="external", weight=1, params={})
        self.seat(symbol, (external,), rules[symbol])
        return self._engine.signals.describe(symbol)

    def begin_leaving(self, symbol: str) -> None:
        self._leaving.add(symbol)
        self.tidy()

    def tidy(self) -> None:
        """Leaving pairs that are flat are gone; one whose order fills late is back until that has left."""
        rules = self._engine.risk.rules
        for symbol in self._leaving:
            if not self._is_flat(symbol):
                if symbol not in rules:
                    rules[symbol] = PairRules(symbol, max_deals=0)
                    self._feeds.begin(symbol)
            elif symbol in rules:
                del rules[symbol]

    def _is_flat(self, symbol: str) -> bool:
        working = self._engine.state.working
        return not (
            any(True for _ in working.positions_of(symbol))
            or any(order.symbol == symbol for order in working.orders.values())
            or working.pairs[symbol].state == SIGNALLED
        )


def rules_of(section: PairSection) -> PairRules:
    return PairRules(**section.model_dump(exclude={"strategy"}))
