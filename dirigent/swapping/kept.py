"""What was swapped in by command outlives a restart, while the configuration it stands in for stays the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from dirigent.configuration.sections import StrategyChoice
from dirigent.configuration.settings import Settings
from services.strategies.parameters import storable_parameters
from services.strategy_changes import fact_name


@dataclass(slots=True)
class Kept:
    """The pairs that go on with what was swapped in, and those for which the configuration counts again, and why."""

    choices: dict[str, tuple[StrategyChoice, ...]] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)


def kept_choices(settings: Settings, facts: Mapping[str, str]) -> Kept:
    """A file that has gone or does not load any more is dropped as well: the configuration's own is loaded by now."""
    kept = Kept()
    for pair in settings.pairs:
        text = facts.get(fact_name(pair.symbol))
        if not text:
            continue
        written = json.loads(text)
        if written["instead_of"] != _told(pair.strategy):
            kept.dropped[pair.symbol] = "the configuration names other strategies than those it replaced"
            continue
        try:
            choices = tuple(StrategyChoice.model_validate(one) for one in written["strategies"])
        except ValidationError as error:
            kept.dropped[pair.symbol] = "; ".join(one["msg"] for one in error.errors(include_url=False))
            continue
        kept.choices[pair.symbol], kept.chosen[pair.symbol] = choices, text
    return kept


def chosen_text(configured: Sequence[StrategyChoice], choices: Sequence[StrategyChoice]) -> str:
    """What the store keeps of a swap; empty when the configuration names the very same."""
    if _told(configured) == _told(choices):
        return ""
    return _canonical({"instead_of": _told(configured), "strategies": _told(choices)})


def _told(choices: Sequence[StrategyChoice]) -> list[dict[str, object]]:
    return [
        {"name": one.name, "weight": float(one.weight), "params": storable_parameters(one.params)}
        for one in choices
    ]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
