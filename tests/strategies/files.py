"""Strategies in files, as users write them: the one that `dirigent strategy new` writes, and changes of it."""

from collections.abc import Mapping
from pathlib import Path

from dirigent.strategies_from_files import create
from dirigent.strategy_template import template_for
from services.signal_aggregation import WeightedStrategy

ON_SAMPLE = "    def on_sample(self, tick: Tick) -> Vote | None:\n"
QUICK: Mapping[str, object] = {"period": 5, "margin": 0.001}


def written(path: Path, *changes: tuple[str, str], more: str = "") -> str:
    """Writes the template there, changed and with `more` at its end; the strategy's name."""
    kind, text = template_for(path)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text + more, encoding="utf-8")
    return f"{path}:{kind}"


def that_first(*lines: str) -> tuple[str, str]:
    """A change: on_sample does this before all else."""
    return ON_SAMPLE, ON_SAMPLE + "".join(f"        {line}\n" for line in lines)


def weighted(name: str, params: Mapping[str, object] = QUICK) -> list[WeightedStrategy]:
    return [WeightedStrategy(create(name, params))]
