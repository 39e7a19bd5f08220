"""A commented configuration, written from the settings themselves: every key with its default and unit."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from dirigent.configuration.layers import model_in, named_fields
from dirigent.configuration.sections import PairSection
from dirigent.configuration.settings import Settings, demonstration_pairs
from dirigent.configuration.values import OFF

COMMENT_COLUMN = 36

_OPENING = """\
# Dirigent's configuration. Every key is here with its default, unless its comment says otherwise.
# Money and fractions are in quotes, to stay exact; fractions are of one: "0.02" is two percent.
# "off" switches a rule off. Flags and DIRIGENT_SECTION__KEY variables win over this file.
"""


def sample_configuration() -> str:
    """The text of a `dirigent.toml` that runs the demonstration."""
    lines = [_OPENING]
    sections: list[tuple[str, type[BaseModel]]] = []
    for name, info in named_fields(Settings):
        section = model_in(info.annotation)
        if section is not None:
            sections.append((name, section))
        elif name != "pairs":
            lines.append(_line(name, info.get_default(call_default_factory=True), info.description or ""))
    for name, section in sections:
        if name == "risk":
            lines += _pairs()
        lines += ["", f"[{name}]"]
        for key, info in named_fields(section):
            lines.append(_line(key, info.get_default(call_default_factory=True), info.description or ""))
    return "\n".join(lines) + "\n"


def _pairs() -> Iterator[str]:
    """The first pair with every key, the others with what differs from the defaults."""
    for number, pair in enumerate(demonstration_pairs()):
        yield from ("", "[[pairs]]")
        for key, info in PairSection.model_fields.items():
            value = _strategy(pair) if key == "strategy" else getattr(pair, key)
            default = "macd" if key == "strategy" else info.default
            meaning = info.description or ""
            if key != "symbol" and value != default:
                meaning += f"; default {literal(default)}"
            if number == 0:
                yield _line(key, value, meaning)
                if key == "strategy":
                    yield _line("params", {}, "parameters of the one strategy named above")
                    yield _line("watch", False, "true: saving the strategy's file swaps it in")
            elif key == "symbol" or value != default:
                yield _line(key, value, "")


def _strategy(pair: PairSection) -> str:
    return pair.strategy[0].name


def _line(key: str, value: Any, meaning: str) -> str:
    setting = f"{key} = {literal(value)}"
    return f"{setting.ljust(COMMENT_COLUMN - 1)} # {meaning}" if meaning else setting


def literal(value: Any) -> str:
    """A value as TOML; Decimals as text, None as "off"."""
    if value is None:
        return f'"{OFF}"'
    if isinstance(value, Decimal):
        return f'"{value:f}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {literal(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(str(value))
