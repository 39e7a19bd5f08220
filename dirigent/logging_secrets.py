"""What must never be read in a log: registered values, and what stands under a secret's key."""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any

MASK = "***"

SECRET_LENGTH_MIN = 4
"""A shorter value is not searched for in texts: it would mask ordinary words. Its key still masks it."""

_SECRET_KEY = re.compile(
    r"api_?-?key|secret|passw|passphrase|private_?-?key|token|signature|authorization|^urls$", re.I
)
_ASSIGNMENT = re.compile(
    r"""(?ix)
    ( [\w-]* (?: api[_-]?key|secret|passw(?:or)?d|passphrase|private[_-]?key|token|signature ) [\w-]*
      ["']? \s* [:=] \s* (?: ["']\s* )? )
    ( [^\s"',;&(){}\[\]]+ )"""
)
_AUTHORIZATION = re.compile(
    r"""(?i)(authorization["']?\s*[:=]\s*["']?(?:bearer |basic )?|bearer )([^\s"',;]+)"""
)

_values: set[str] = set()
_pattern: re.Pattern[str] | None = None


def redact(value: str) -> None:
    """Registers a secret: from now on it is masked in every line."""
    global _pattern
    if len(value) < SECRET_LENGTH_MIN:
        return
    _values.add(value)
    longest_first = sorted(_values, key=len, reverse=True)
    _pattern = re.compile("|".join(re.escape(secret) for secret in longest_first))


def forget_secrets() -> None:
    """Empties the register, as a process that begins anew."""
    global _pattern
    _values.clear()
    _pattern = None


def is_secret_key(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def secrets_in(options: Mapping[str, Any]) -> list[str]:
    """The values that stand under secret keys, at any depth."""
    found: list[str] = []
    for key, value in options.items():
        if isinstance(value, Mapping):
            found += secrets_in(value)
        elif is_secret_key(key) and value is not None:
            found.append(str(value))
    return found


def masked_text(text: str) -> str:
    """The text without registered values and without what is assigned to a secret key in it."""
    if _pattern is not None:
        text = _pattern.sub(MASK, text)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    return _ASSIGNMENT.sub(rf"\1{MASK}", text)


def masked(value: Any) -> Any:
    """The value with every secret in it masked. What is not plain data becomes its masked text."""
    if value is None or isinstance(value, bool | int | float | Decimal):
        return value
    if isinstance(value, Mapping):
        return {key: MASK if is_secret_key(str(key)) else masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(inner) for inner in value]
    return masked_text(str(value))


def mask_the_uncaught() -> None:
    """Masks what reaches stderr past every sink: exceptions that nobody caught, and what Python's own logging
    says when nobody set it up, such as asyncio's word on a task that failed unseen."""
    sys.excepthook = _tell_masked
    threading.excepthook = lambda told: _tell_masked(told.exc_type, told.exc_value, told.exc_traceback)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_MaskedFormatter())


class _MaskedFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked_text(super().format(record))


def _tell_masked(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    sys.stderr.write(masked_text("".join(traceback.format_exception(kind, error, trace))))
