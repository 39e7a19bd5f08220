"""Enough of PromQL to say which series an expression reads, and which labels it names of them."""

import re
from dataclasses import dataclass

_TOKENS = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*")
      | (?P<range>\[[^\]]*\])
      | (?P<word>[a-zA-Z_:$][a-zA-Z0-9_:.$]*)
      | (?P<number>\d[\w.]*)
      | (?P<mark>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},])
      | (?P<blank>\s+)""",
    re.VERBOSE,
)
_WORDS = {
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "bool",
    "offset",
}
_TAKING_LABELS = {"by", "without", "on", "ignoring", "group_left", "group_right"}


@dataclass(frozen=True)
class Reading:
    """What an expression reads: series with the labels that select them, and the labels it groups by."""

    series: tuple[tuple[str, frozenset[str]], ...]
    grouped_by: frozenset[str]


def read(expression: str) -> Reading:
    """Raises ValueError where the text is none of the language."""
    tokens = _tokens(expression)
    series: list[tuple[str, frozenset[str]]] = []
    grouped: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        after = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if kind != "word":
            continue
        if text in _TAKING_LABELS:
            end = _closing(tokens, at, "(", ")")
            grouped |= {word for of, word in tokens[at:end] if of == "word"}
            at = end
        elif text not in _WORDS and after not in ("(", "by", "without"):
            labels: set[str] = set()
            if after == "{":
                end = _closing(tokens, at, "{", "}")
                labels = {word for of, word in tokens[at:end] if of == "word"}
                at = end
            series.append((text, frozenset(labels)))
    return Reading(tuple(series), frozenset(grouped))


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at, depth = [], 0, 0
    while at < len(expression):
        match = _TOKENS.match(expression, at)
        if match is None:
            raise ValueError(f"{expression[at:]!r} is no PromQL in {expression!r}")
        at = match.end()
        kind = match.lastgroup or ""
        depth += (match[0] in ("(", "{")) - (match[0] in (")", "}"))
        if kind != "blank":
            found.append((kind, match[0]))
    if depth:
        raise ValueError(f"brackets that do not match in {expression!r}")
    return found


def _closing(tokens: list[tuple[str, str]], at: int, opening: str, closing: str) -> int:
    if at >= len(tokens) or tokens[at][1] != opening:
        raise ValueError(f"{opening} is missing")
    while tokens[at][1] != closing:
        at += 1
    return at + 1
