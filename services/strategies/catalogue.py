"""The strategies there are, by name, and the fingerprint of the source each one runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from inspect import getfile
from pathlib import Path
from weakref import WeakKeyDictionary

from services.strategies.base import Strategy, StrategyError, nearest
from services.strategies.external import External
from services.strategies.macd import MacdCross
from services.strategies.sma_cross import SmaCross

_KNOWN: dict[str, type[Strategy]] = {kind.name: kind for kind in (External, MacdCross, SmaCross)}


def kind_named(name: str) -> type[Strategy]:
    """Raises StrategyError for an unknown name."""
    kind = _KNOWN.get(name)
    if kind is None:
        raise StrategyError(
            f"unknown strategy {name!r}; known are {', '.join(names())}{nearest(name, _KNOWN)}"
        )
    return kind


def names() -> list[str]:
    return sorted(_KNOWN)


def create(name: str, params: Mapping[str, object] | None = None) -> Strategy:
    """Raises StrategyError for an unknown name or a parameter that is unknown or wrong."""
    return kind_named(name)(params)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a strategy's class comes from."""

    source: str
    """The first 16 hexadecimal digits of the SHA-256 of its source file, as that was when it was loaded."""
    file: str = ""
    """`/path/mine.py:Mine` of a class in a user's file; empty for one that is built in."""


_ORIGINS: WeakKeyDictionary[type[Strategy], Origin] = WeakKeyDictionary()
"""Weak: a class that was swapped out is forgotten with the last strategy made of it."""


def register(kind: type[Strategy], origin: Origin) -> None:
    """Whoever loads a class from a file says so here, before it is used."""
    _ORIGINS[kind] = origin


def origin_of(strategy: Strategy) -> Origin:
    """Read once for each class, so that editing the file does not rename what runs."""
    kind = type(strategy)
    origin = _ORIGINS.get(kind)
    if origin is None:
        origin = _ORIGINS[kind] = Origin(short_hash(Path(getfile(kind)).read_bytes()))
    return origin


def source_hash(strategy: Strategy) -> str:
    """Of the strategy's own source file; see `Origin.source`."""
    return origin_of(strategy).source


def short_hash(source: bytes) -> str:
    return sha256(source).hexdigest()[:16]
