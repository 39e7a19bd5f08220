"""What a configuration that was read again changes in the running engine, and what waits for a restart."""

from collections.abc import Callable
from dataclasses import dataclass

from dirigent.configuration.sections import PairSection
from dirigent.configuration.settings import Settings, risk_limits
from dirigent.steering.pair_set import PairSet, rules_of
from dirigent.wiring import Engine
from services.strategies.base import StrategyError

_LIVE = frozenset({"pairs", "risk", "logging"})
"""The sections that can change while the engine runs."""
_WAITING = "signal_expires_s"
"""The one rule of a pair that waits for a restart, unless its pair is new."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where the settings came from, to read them again."""

    read: Callable[[], Settings]
    """Raises SettingsError."""
    apply_logging: Callable[[Settings], None]


@dataclass(slots=True)
class Reload:
    """What was found to differ, in words, and the pairs whose journal has to know."""

    changed: list[str]
    waiting: list[str]
    described: dict[str, str]
    """By symbol, the strategies that decide from now on."""
    arrived: list[str]
    left: list[str]
    effective: Settings

    @property
    def words(self) -> str:
        parts = [f"changed: {', '.join(self.changed)}"] if self.changed else []
        if self.waiting:
            parts.append(f"waits for a restart: {', '.join(self.waiting)}")
        return "; ".join(parts) or "nothing differs from what runs"


def reload(
    old: Settings, new: Settings, engine: Engine, pairs: PairSet, configuration: Configuration
) -> Reload:
    """Changes what can change. Doing it again changes nothing more."""
    found = Reload([], [], {}, [], [], new)
    if new.risk != old.risk:
        engine.risk.limits = risk_limits(new)
        found.changed += _differences("risk", old.risk.model_dump(), new.risk.model_dump())
    if new.logging != old.logging:
        configuration.apply_logging(new)
        found.changed += _differences("logging", old.logging.model_dump(), new.logging.model_dump())
    _reload_pairs(old, new, engine, pairs, found)
    others = [name for name in type(old).model_fields if name not in _LIVE]
    kept = {name: getattr(old, name) for name in others if getattr(new, name) != getattr(old, name)}
    found.waiting += kept
    found.effective = found.effective.model_copy(update=kept)
    return found


def _reload_pairs(old: Settings, new: Settings, engine: Engine, pairs: PairSet, found: Reload) -> None:
    before = {pair.symbol: pair for pair in old.pairs}
    after = {pair.symbol: pair for pair in new.pairs}
    kept: list[PairSection] = []
    for symbol, section in after.items():
        known = before.get(symbol)
        if known is None:
            refusal = pairs.refusal(section)
            if refusal:
                found.waiting.append(f"pair {symbol} ({refusal})")
                continue
            found.described[symbol] = pairs.admit(section)
            found.arrived.append(symbol)
            found.changed.append(f"pair {symbol} added")
        elif section != known:
            section = _reload_pair(known, section, engine, pairs, found)
        kept.append(section)
    for symbol in before.keys() - after.keys():
        found.described[symbol] = pairs.dismiss(symbol)
        found.left.append(symbol)
        found.changed.append(f"pair {symbol} removed")
    found.effective = new.model_copy(update={"pairs": tuple(kept)})


def _reload_pair(
    known: PairSection, section: PairSection, engine: Engine, pairs: PairSet, found: Reload
) -> PairSection:
    """The section as it holds now: what waits keeps its former value, and is told again at the next reload."""
    symbol = section.symbol
    differing = {
        name for name in type(section).model_fields if getattr(section, name) != getattr(known, name)
    }
    waiting = {name: getattr(known, name) for name in differing & {_WAITING}}
    if "strategy" in differing:
        try:
            pairs.seat(symbol, section.strategy, rules_of(section))
        except StrategyError as error:
            waiting["strategy"] = known.strategy
            found.waiting.append(f"{symbol}.strategy ({error})")
        else:
            found.described[symbol] = engine.signals.describe(symbol)
    found.waiting += [f"{symbol}.{name}" for name in waiting if name != "strategy"]
    changed = sorted(differing - waiting.keys())
    section = section.model_copy(update=waiting)
    engine.risk.rules[symbol] = rules_of(section)
    found.changed += _differences(symbol, _told(known, changed), _told(section, changed))
    return section


def _told(section: PairSection, names: list[str]) -> dict[str, object]:
    told: dict[str, object] = {name: getattr(section, name) for name in names}
    if "strategy" in told:
        told["strategy"] = "+".join(choice.name for choice in section.strategy)
    return told


def _differences(section: str, old: dict[str, object], new: dict[str, object]) -> list[str]:
    words = []
    for name, value in new.items():
        if name == "strategy" and old[name] == value:
            words.append(f"{section}.strategy (parameters or weights of {value})")
        elif old[name] != value:
            words.append(f"{section}.{name} {_shown(old[name])} -> {_shown(value)}")
    return words


def _shown(value: object) -> str:
    return "off" if value is None else f"{value}"
