"""The kinds of value a configuration holds: exact decimals, fractions, whole numbers, durations, symbols."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

OFF = "off"
"""How a file says None: TOML has no word for it."""

_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SYMBOL = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}")
_ROTATION = re.compile(r"\d+(\.\d+)? ?(KB|MB|GB)|\d+ (minute|hour|day|week|month)s?|\d\d:\d\d")
_PREFIX = re.compile(r"[A-Z][A-Z0-9_]*")
_RETENTION = re.compile(r"\d+ (minute|hour|day|week|month)s?")


def refusal(message: str, remedy: str, *below: str | int) -> PydanticCustomError:
    """An error that carries its own remedy, and the keys `below` the place where it is raised."""
    return PydanticCustomError("refused", "{message}", {"message": message, "remedy": remedy, "below": below})


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        raise refusal("a binary fraction is not exact money", f'write it in quotes: "{value!r}"')
    if isinstance(value, str):
        if not _PLAIN_NUMBER.fullmatch(value):
            raise refusal("not a plain decimal number", 'write digits in quotes, such as "0.001"')
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise refusal("not a decimal number", 'write digits in quotes, such as "0.001"')
    return Decimal(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise refusal("a truth value is not a number", "write a number without quotes")
    return value


def _off(value: Any) -> Any:
    return None if value == OFF else value


def _symbol(value: Any) -> Any:
    if not isinstance(value, str):
        raise refusal("a symbol is text", 'write it in quotes, such as "BTC/USDT"')
    if not _SYMBOL.fullmatch(value):
        guess = value.upper().replace("-", "/").replace("_", "/")
        example = guess if _SYMBOL.fullmatch(guess) else "BTC/USDT"
        raise refusal("not a spot market as BASE/QUOTE", f'write it as "{example}"')
    base, _, quote = value.partition("/")
    if base == quote:
        raise refusal("base and quote are the same currency", "name two currencies")
    return value


def _rotation(value: Any) -> Any:
    if not isinstance(value, str) or not _ROTATION.fullmatch(value):
        raise refusal("not a size, an interval or a time of day", 'write "10 MB", "1 day" or "00:00"')
    return value


def _retention(value: Any) -> Any:
    if not isinstance(value, str) or not _RETENTION.fullmatch(value):
        raise refusal("not a length of time", 'write a number and a unit, such as "10 days"')
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise refusal("not the beginning of a variable's name", 'write it as "BINANCE"')
    if value.startswith("DIRIGENT"):
        raise refusal("the engine's own settings begin so", 'choose another, such as "EXCHANGE"')
    return value


def _not_empty(value: Any) -> Any:
    if not value:
        raise refusal("empty", "name at least one, or leave the key away")
    return value


NotEmpty = AfterValidator(_not_empty)
"""For a list: its own error only where no item of it is wrong."""

Exact = Annotated[Decimal, BeforeValidator(_exact)]
Amount = Annotated[Exact, Field(gt=0)]
NotNegative = Annotated[Exact, Field(ge=0)]
Fraction = Annotated[Exact, Field(gt=0, lt=1)]
FractionOrZero = Annotated[Exact, Field(ge=0, lt=1)]
OptionalAmount = Annotated[Amount | None, BeforeValidator(_off)]
OptionalFraction = Annotated[Fraction | None, BeforeValidator(_off)]
OptionalGain = Annotated[Annotated[Exact, Field(gt=0, le=100)] | None, BeforeValidator(_off)]
"""A fraction that may exceed one: a price can more than double."""

Whole = Annotated[int, BeforeValidator(_number)]
WholeOrZero = Annotated[Whole, Field(ge=0)]
Count = Annotated[Whole, Field(ge=1)]
OptionalCount = Annotated[Count | None, BeforeValidator(_off)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Duration = Annotated[Number, Field(gt=0)]
DurationOrZero = Annotated[Number, Field(ge=0)]
Probability = Annotated[Number, Field(ge=0, lt=1)]
OptionalDuration = Annotated[Duration | None, BeforeValidator(_off)]

PairSymbol = Annotated[str, BeforeValidator(_symbol)]
OptionalPath = Annotated[Annotated[str, Field(min_length=1)] | None, BeforeValidator(_off)]
OptionalPrefix = Annotated[Annotated[str, AfterValidator(_prefix)] | None, BeforeValidator(_off)]
Rotation = Annotated[str, BeforeValidator(_rotation)]
Retention = Annotated[str, BeforeValidator(_retention)]
