"""Options of the exchange that ccxt or the engine would stumble over, refused before anything is asked of anybody.

ccxt takes any option and complains of none: a misspelt one has no effect, a wrong value fails at the request that
first needs it, and `sandbox = "true"` trades real money. What is not named here goes to ccxt as it stands.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from services.exchanges.ccxt_exchange.capabilities import has_no_window

RECV_WINDOW_MS_MAX = 60_000
"""Binance's own limit, which those that have its interface share."""

CREDENTIALS = (
    "apiKey",
    "secret",
    "uid",
    "accountId",
    "login",
    "password",
    "walletAddress",
    "privateKey",
    "token",
    "twofa",
)
"""By ccxt's names. Their values are judged where keys are resolved."""

_LETTERS_MIN = 5
"""A shorter name is one letter away from too many others."""


class BadOptions(ValueError):
    """An option of the exchange that is not used; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a value has to be, and how it is written. `is_shown`: the value may stand in a message."""

    holds: Callable[[object], bool]
    what: str
    how: str
    is_shown: bool = True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_above_zero(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and value > 0


def _is_window(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= RECV_WINDOW_MS_MAX


_MS = _Rule(_is_above_zero, "a number of milliseconds above zero", "one such as 10000, without quotes")
_PACE = _Rule(_is_above_zero, "a number of milliseconds above zero", "one such as 50, without quotes")
_FLAG = _Rule(lambda value: isinstance(value, bool), "true or false", "one of the two, without quotes")
_TABLE = _Rule(lambda value: isinstance(value, Mapping), "a table", "[exchange.options...]", is_shown=False)
_TEXT = _Rule(lambda value: isinstance(value, str) and value != "", "text", "it in quotes", is_shown=False)
_WINDOW = _Rule(
    _is_window,
    f"a whole number of milliseconds from 1 to {RECV_WINDOW_MS_MAX}",
    "one such as 5000, without quotes",
)
_SKEW = _Rule(_is_number, "a number of milliseconds", "it without quotes, or take it out")
_SPOT = _Rule(
    lambda value: value == "spot", "the kind of market that is traded here", '"spot", or take it out'
)

# fmt: off
_RULES: Mapping[str, _Rule] = {
    "timeout":           _MS,
    "rateLimit":         _PACE,
    "enableRateLimit":   _FLAG,
    "sandbox":           _FLAG,
    "testnet":           _FLAG,
    "verbose":           _FLAG,
    "aiohttp_trust_env": _FLAG,
    "options":           _TABLE,
    "urls":              _TABLE,
    "headers":           _TABLE,
    "hostname":          _TEXT,
    "proxyUrl":          _TEXT,
    "httpProxy":         _TEXT,
    "httpsProxy":        _TEXT,
    "socksProxy":        _TEXT,
    "wsProxy":           _TEXT,
    "wssProxy":          _TEXT,
    "wsSocksProxy":      _TEXT,
}
"""In [exchange.options]. ccxt takes http_proxy for httpProxy, and so on."""

_RULES_BELOW: Mapping[str, _Rule] = {
    "recvWindow":                        _WINDOW,
    "sandbox":                           _FLAG,
    "testnet":                           _FLAG,
    "adjustForTimeDifference":           _FLAG,
    "createMarketBuyOrderRequiresPrice": _FLAG,
    "timeDifference":                    _SKEW,
    "defaultType":                       _SPOT,
}
"""In [exchange.options.options]: what the single exchanges read."""
# fmt: on

_ABOVE_ALONE = ("timeout", "rateLimit", "enableRateLimit")
_BELOW_ALONE = tuple(name for name in _RULES_BELOW if name not in _RULES)
_NAMES = (*_RULES, *CREDENTIALS)


def refuse_bad_options(options: Mapping[str, Any], exchange_id: str) -> None:
    """Raises BadOptions for what cannot be right, and for what would have orders sent twice."""
    _refuse_repetition(options, "options")
    for key, value in options.items():
        _refuse_strange(key, "options", _NAMES)
        _refuse_misplaced(key, "options", _BELOW_ALONE, "[exchange.options.options]")
        _refuse_value(f"options.{key}", value, _RULES.get(key) or _RULES.get(_in_camel_case(key)))
    below = options.get("options") or {}
    for key, value in below.items():
        _refuse_strange(key, "options.options", tuple(_RULES_BELOW))
        _refuse_misplaced(key, "options.options", _ABOVE_ALONE, "[exchange.options]")
        if key != "recvWindow" or not has_no_window(exchange_id):
            _refuse_value(f"options.options.{key}", value, _RULES_BELOW.get(key))


def _refuse_repetition(options: Mapping[str, Any], path: str) -> None:
    for key, value in options.items():
        if key == "maxRetriesOnFailure" and value:
            raise BadOptions(
                f"exchange.{path}.{key} is not used: with it a market order whose answer was lost is sent twice;"
                " take it out, questions are repeated anyway"
            )
        if isinstance(value, Mapping):
            _refuse_repetition(value, f"{path}.{key}")


def _refuse_strange(key: str, path: str, names: Iterable[str]) -> None:
    """A name that differs from one that is known by its case, its underscores or one letter."""
    if key in names or (_in_camel_case(key) in names and _in_camel_case(key) not in CREDENTIALS):
        return
    meant = next((name for name in names if _is_nearly(key, name)), None)
    if meant is None:
        return
    place = ""
    if meant in CREDENTIALS:
        place = " Keys have places of their own: exchange.key_file, keyring or key_variables"
    raise BadOptions(f"exchange.{path}.{key} is not known to ccxt; did you mean {meant}?{place}")


def _refuse_misplaced(key: str, path: str, names: Iterable[str], place: str) -> None:
    if any(_plain(key) == _plain(name) for name in names):
        raise BadOptions(f"exchange.{path}.{key} has no effect there; write it in {place}")


def _refuse_value(path: str, value: object, rule: _Rule | None) -> None:
    if rule is None or rule.holds(value):
        return
    written = f"exchange.{path} = {_shown(value)}" if rule.is_shown else f"exchange.{path}"
    raise BadOptions(f"{written} is not {rule.what}; write {rule.how}")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value[:40]}"' if isinstance(value, str) else str(value)[:40]


def _in_camel_case(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(other.capitalize() for other in others)


def _plain(name: str) -> str:
    return re.sub(r"[_-]", "", name).lower()


def _is_nearly(written: str, name: str) -> bool:
    """The same but for case, underscores, and one letter that is wrong, missing, too many or swapped with the next."""
    one, other = _plain(written), _plain(name)
    if one == other or len(other) < _LETTERS_MIN or abs(len(one) - len(other)) > 1:
        return one == other
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    left, right = one[same:], other[same:]
    is_swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return left[1:] == right[1:] or left[1:] == right or left == right[1:] or is_swapped
