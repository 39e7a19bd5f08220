"""The one place where ccxt is imported, when it is first needed: a second and a hundred megabytes."""

import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any


class UnknownExchange(ValueError):
    """No exchange of this id is known; the message names the nearest that is."""


@cache
def known_ids() -> tuple[str, ...]:
    """Every exchange id, read from the installed package's file names: nothing is imported for it."""
    return _modules_in("async_support")


@cache
def streaming_ids() -> frozenset[str]:
    """The ids of the exchanges that have streams."""
    return frozenset(_modules_in("pro"))


def refuse_unknown(exchange_id: str) -> None:
    """Raises UnknownExchange unless the id names an exchange."""
    if exchange_id in known_ids():
        return
    from difflib import get_close_matches

    close = get_close_matches(exchange_id.lower(), known_ids(), n=1, cutoff=0.6)
    guess = f"did you mean {close[0]!r}?" if close else "ccxt's list of exchanges has the ids"
    raise UnknownExchange(f"there is no exchange {exchange_id!r}; {guess}")


def exchange_class(exchange_id: str) -> Any:
    """The exchange's class, with streams where it has them."""
    refuse_unknown(exchange_id)
    package = "ccxt.pro" if exchange_id in streaming_ids() else "ccxt.async_support"
    return getattr(importlib.import_module(package), exchange_id)


def errors() -> Any:
    """The module of the exceptions that ccxt raises."""
    return importlib.import_module("ccxt.base.errors")


def demanded_credentials(exchange_id: str) -> tuple[str, ...]:
    """The names of the keys that the exchange demands, read from the installed package's text: nothing is imported."""
    demanded: dict[str, bool] = {}
    name = exchange_id
    while name != "Exchange":
        if name in streaming_ids():
            streams = (_package() / "pro" / f"{name}.py").read_text(encoding="utf-8")
            demanded = _credentials_in(streams) | demanded
        text = (_package() / "async_support" / f"{name}.py").read_text(encoding="utf-8")
        demanded = _credentials_in(text) | demanded
        parent = re.search(rf"^class {name}\((\w+)", text, re.MULTILINE)
        name = parent[1] if parent else "Exchange"
    base = (_package() / "base" / "exchange.py").read_text(encoding="utf-8")
    demanded = _credentials_in(base) | demanded
    return tuple(key for key, is_needed in demanded.items() if is_needed)


def _credentials_in(text: str) -> dict[str, bool]:
    """The first table of demanded credentials of a module: base and exchanges write it as a plain one."""
    found = re.search(r"\brequiredCredentials'?\s*[:=]\s*\{([^{}]*)\}", text)
    return {} if found is None else {key: value == "True" for key, value in _CREDENTIAL.findall(found[1])}


_CREDENTIAL = re.compile(r"'(\w+)':\s*(True|False)")


def _modules_in(package: str) -> tuple[str, ...]:
    folder = _package() / package
    return tuple(sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")))


def _package() -> Path:
    found = importlib.util.find_spec("ccxt")
    if found is None or not found.submodule_search_locations:
        raise UnknownExchange("ccxt is not installed; install the project with its dependencies")
    return Path(found.submodule_search_locations[0])
