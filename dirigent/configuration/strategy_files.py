"""Strategies' files are named relative to the configuration that names them, wherever the engine is started."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def with_anchored_strategies(written: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The values of a file, its strategies' files absolute. What is not as it should be stays, to be refused later."""
    pairs = written.get("pairs")
    if not isinstance(pairs, list):
        return dict(written)
    return {**written, "pairs": [_anchored_pair(pair, folder) for pair in pairs]}


def _anchored_pair(pair: Any, folder: Path) -> Any:
    if not isinstance(pair, dict) or "strategy" not in pair:
        return pair
    strategy = pair["strategy"]
    if isinstance(strategy, list):
        return {**pair, "strategy": [_anchored_choice(choice, folder) for choice in strategy]}
    return {**pair, "strategy": _anchored_name(strategy, folder)}


def _anchored_choice(choice: Any, folder: Path) -> Any:
    if not isinstance(choice, dict) or "name" not in choice:
        return choice
    return {**choice, "name": _anchored_name(choice["name"], folder)}


def _anchored_name(name: Any, folder: Path) -> Any:
    if not isinstance(name, str) or ".py" not in name:
        return name
    from dirigent.strategies_from_files import anchored

    return anchored(name, folder.absolute())
