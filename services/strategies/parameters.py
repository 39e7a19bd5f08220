"""What a strategy can be told: typed parameters, each with its default, its bounds and its meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from math import isfinite
from typing import Any

Value = bool | int | float | str | Decimal


class StrategyError(ValueError):
    """A strategy that cannot be made or used; names strategy, parameter, value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a strategy takes. Its kind is that of the default: a truth value, a whole number, a number, an
    exact decimal, or a text that is one of `choices`. `least` and `most` bound the three kinds of numbers.
    """

    default: Value
    least: int | float | Decimal | None = None
    most: int | float | Decimal | None = None
    meaning: str = ""
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.default, str) and not self.choices:
            raise StrategyError(f"parameter {self.default!r}: a text needs the choices it is one of")
        if self.choices and not isinstance(self.default, str):
            raise StrategyError(f"parameter {self.default!r}: only a text has choices")
        try:
            self.checked(self.default)
        except ValueError:
            raise StrategyError(f"parameter: the default {self.default!r} is not {self.allowed}") from None

    @property
    def allowed(self) -> str:
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return f"one of {', '.join(self.choices)}"
        kind = {int: "a whole number", float: "a number"}.get(type(self.default), "an exact decimal")
        if self.least is not None and self.most is not None:
            return f"{kind} from {self.least} to {self.most}"
        if self.least is not None:
            return f"{kind} of at least {self.least}"
        return kind if self.most is None else f"{kind} of at most {self.most}"

    def checked(self, value: object) -> Value:
        """The value in this parameter's kind. Raises ValueError when it is not allowed.

        A whole number will do for a number, text for a decimal; a binary fraction is no exact decimal.
        """
        result = self._converted(value)
        if isinstance(result, bool | str):
            return result
        if self.least is not None and not result >= self.least:
            raise ValueError(value)
        if self.most is not None and not result <= self.most:
            raise ValueError(value)
        return result

    def _converted(self, value: object) -> Value:
        if isinstance(self.default, bool):
            if type(value) is bool:
                return value
        elif isinstance(self.default, str):
            if isinstance(value, str) and value in self.choices:
                return value
        elif isinstance(self.default, int):
            if type(value) is int:
                return value
        elif isinstance(value, bool):
            pass
        elif isinstance(self.default, float):
            if isinstance(value, int | float) and isfinite(value):
                return float(value)
        elif isinstance(value, int | str | Decimal):
            return _exact(value)
        raise ValueError(value)

    def read(self, text: str) -> Value:
        """The value that a command line means by `text`. Raises ValueError when it means none."""
        if isinstance(self.default, bool):
            return {"true": True, "false": False}[text] if text in ("true", "false") else self.checked(text)
        if isinstance(self.default, str | Decimal):
            return self.checked(text)
        return self.checked(int(text) if isinstance(self.default, int) else float(text))


def _exact(value: int | str | Decimal) -> Decimal:
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise ValueError(value) from None
    if not exact.is_finite():
        raise ValueError(value)
    return exact


def checked_parameters(
    strategy: str, known: Mapping[str, Parameter], given: Mapping[str, object]
) -> dict[str, Any]:
    """Every parameter with its value, in the order the strategy lists them."""
    for name, value in given.items():
        if name not in known:
            allowed = f"it takes {', '.join(known)}" if known else "it takes none"
            raise StrategyError(
                f"strategy {strategy}: unknown parameter {name} = {value!r}; {allowed}{nearest(name, known)}"
            )
    params: dict[str, Any] = {}
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        try:
            params[name] = parameter.checked(value)
        except ValueError:
            raise StrategyError(
                f"strategy {strategy}: {name} = {value!r} is not {parameter.allowed}"
            ) from None
    return params


def read_parameters(
    strategy: str, known: Mapping[str, Parameter], written: Mapping[str, str]
) -> dict[str, Value]:
    """The parameters that a command line wrote as text, in their kinds; an unknown one is left as it stands."""
    params: dict[str, Value] = {}
    for name, text in written.items():
        try:
            params[name] = known[name].read(text) if name in known else text
        except ValueError:
            raise StrategyError(
                f"strategy {strategy}: {name} = {text!r} is not {known[name].allowed}"
            ) from None
    return params


def storable_parameters(params: Mapping[str, object]) -> dict[str, object]:
    """As JSON can hold them and `checked_parameters` takes them again: a decimal is text."""
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in params.items()}


def nearest(name: str, known: Mapping[str, object]) -> str:
    """A hint for a misspelt name; empty when nothing is near."""
    matches = get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""
