"""The one place where ccxt is imported, when it is first needed: a second and a hundred megabytes."""

import importlib
import importlib.util
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


def _modules_in(package: str) -> tuple[str, ...]:
    found = importlib.util.find_spec("ccxt")
    if found is None or not found.submodule_search_locations:
        raise UnknownExchange("ccxt is not installed; install the project with its dependencies")
    folder = Path(found.submodule_search_locations[0]) / package
    return tuple(sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")))
