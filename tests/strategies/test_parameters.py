"""A parameter has its kind from its default, and takes what is of that kind and within its bounds."""

from decimal import Decimal

import pytest

from services.strategies.parameters import (
    Parameter,
    StrategyError,
    Value,
    checked_parameters,
    read_parameters,
    storable_parameters,
)

KNOWN = {
    "period": Parameter(20, 2, 100, "samples"),
    "margin": Parameter(0.5, 0.0, 1.0, "fraction"),
    "quota": Parameter(Decimal("0.1"), Decimal("0.01"), None, "coins"),
    "sells": Parameter(True, meaning="whether"),
    "price": Parameter("last", choices=("last", "middle"), meaning="which"),
}


def test_each_keeps_its_kind_through_a_checkpoint_and_a_command_line() -> None:
    written = {"period": "7", "margin": "1", "quota": "0.050", "sells": "false", "price": "middle"}
    params = checked_parameters("mine", KNOWN, read_parameters("mine", KNOWN, written))
    assert params == {
        "period": 7,
        "margin": 1.0,
        "quota": Decimal("0.050"),
        "sells": False,
        "price": "middle",
    }
    assert [type(value) for value in params.values()] == [int, float, Decimal, bool, str]
    assert checked_parameters("mine", KNOWN, storable_parameters(params)) == params
    assert checked_parameters("mine", KNOWN, params) == params


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("period", 1, "a whole number from 2 to 100"),
        ("period", 2.0, "a whole number from 2 to 100"),
        ("period", True, "a whole number from 2 to 100"),
        ("margin", 1.1, "a number from 0.0 to 1.0"),
        ("margin", float("nan"), "a number from 0.0 to 1.0"),
        ("margin", "0.5", "a number from 0.0 to 1.0"),
        ("margin", False, "a number from 0.0 to 1.0"),
        ("quota", 0.1, "an exact decimal of at least 0.01"),
        ("quota", "0.001", "an exact decimal of at least 0.01"),
        ("quota", "NaN", "an exact decimal of at least 0.01"),
        ("quota", "much", "an exact decimal of at least 0.01"),
        ("sells", 1, "true or false"),
        ("sells", "true", "true or false"),
        ("price", "first", "one of last, middle"),
        ("price", None, "one of last, middle"),
    ],
)
def test_what_is_not_allowed_is_told_with_what_is(name: str, value: object, allowed: str) -> None:
    with pytest.raises(StrategyError) as refusal:
        checked_parameters("mine", KNOWN, {name: value})
    assert str(refusal.value) == f"strategy mine: {name} = {value!r} is not {allowed}"


@pytest.mark.parametrize(
    ("name", "text"),
    [("period", "7.5"), ("margin", "x"), ("quota", ""), ("sells", "yes"), ("price", "first")],
)
def test_what_a_command_line_cannot_mean_is_told(name: str, text: str) -> None:
    with pytest.raises(StrategyError, match=rf"{name} = '{text}' is not {KNOWN[name].allowed[:6]}"):
        read_parameters("mine", KNOWN, {name: text})


@pytest.mark.parametrize(
    ("default", "bounds"),
    [(1, (2, 3)), ("text", (None, None)), (1.5, (None, 1.0)), (float("inf"), (0, None))],
)
def test_a_parameter_that_contradicts_itself_is_refused(
    default: Value, bounds: tuple[float | None, float | None]
) -> None:
    with pytest.raises(StrategyError, match="parameter"):
        Parameter(default, *bounds)
