"""From a configuration and what the store remembers to a wired engine."""

from collections.abc import Mapping

from loguru import logger

from dirigent.configuration.sections import StrategyChoice
from dirigent.configuration.settings import Settings, pair_rules, risk_limits, strategy_choices
from dirigent.swapping.kept import kept_choices
from dirigent.wiring import Connector, Engine, Memory, Parts, build
from fsm.commit import StoredState
from services.messages import PairRules
from services.ports import Clock


def silent() -> StrategyChoice:
    """The strategy of a pair that only leaves."""
    return StrategyChoice(name="external", weight=1, params={})


def all_rules(settings: Settings, stored: StoredState) -> dict[str, PairRules]:
    """The configured pairs, and those that are no longer configured and still hold something: they only leave."""
    rules = pair_rules(settings)
    for record in (*stored.positions, *stored.orders):
        symbol = str(getattr(record, "symbol", ""))
        if symbol not in rules:
            rules[symbol] = PairRules(symbol, max_deals=0)
            logger.bind(event="pair_only_leaves", symbol=symbol).warning("pair_only_leaves")
    return rules


def assemble(
    settings: Settings,
    rules: dict[str, PairRules],
    memory: Memory,
    connector: Connector,
    clock: Clock,
    facts: Mapping[str, str] | None = None,
) -> Engine:
    """Wires an engine for the pairs of `rules`; those without a configured strategy only leave.

    `facts` are the store's: they say which strategies were swapped in. A symbol that the exchange does not list
    raises KeyError.
    """
    kept = kept_choices(settings, facts or {})
    for symbol, why in kept.dropped.items():
        logger.bind(event="swap_not_kept", symbol=symbol, because=why).warning("swap_not_kept")
    strategies = {**dict.fromkeys(rules, (silent(),)), **strategy_choices(settings), **kept.choices}
    engine = build(
        Parts(
            memory,
            connector,
            clock,
            rules,
            strategies,
            risk_limits(settings),
            recent_samples=settings.strategies.recent_samples,
            strategy_budget_ms=float(settings.strategies.budget_ms),
        )
    )
    for symbol, chosen in kept.chosen.items():
        engine.signals.panel(symbol).chosen = chosen
    return engine
