"""The strategies there are, by name, and the fingerprint of the source each one runs."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from inspect import getfile
from pathlib import Path

from services.strategies.base import Strategy, StrategyError, nearest
from services.strategies.external import External
from services.strategies.macd import MacdCross
from services.strategies.sma_cross import SmaCross

_KNOWN: dict[str, type[Strategy]] = {kind.name: kind for kind in (External, MacdCross, SmaCross)}


def names() -> list[str]:
    return sorted(_KNOWN)


def create(name: str, params: Mapping[str, object] | None = None) -> Strategy:
    """Raises StrategyError for an unknown name or a parameter that is unknown or wrong."""
    kind = _KNOWN.get(name)
    if kind is None:
        raise StrategyError(
            f"unknown strategy {name!r}; known are {', '.join(names())}{nearest(name, _KNOWN)}"
        )
    return kind(params)


def source_hash(strategy: Strategy) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the strategy's own source file.

    Read once for each class, so that editing the file does not rename what runs.
    """
    return _hash_of(type(strategy))


@cache
def _hash_of(kind: type[Strategy]) -> str:
    return sha256(Path(getfile(kind)).read_bytes()).hexdigest()[:16]
