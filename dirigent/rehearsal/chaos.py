"""Which faults the rehearsal exchange injects, how often and how badly; read from a TOML file and from flags."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from dirigent.configuration.layers import Layer, file_layer
from dirigent.configuration.problems import Problem, SettingsError
from dirigent.configuration.report import problems_in
from dirigent.configuration.sections import Section, nearest
from dirigent.configuration.values import Duration, DurationOrZero, Number, Whole, WholeOrZero, refusal

Chance = Annotated[Number, Field(ge=0, le=1)]

FLAGS = "--fault"


class Maintenance(Section):
    """A time without service: requests get 503, streams are closed, nothing trades."""

    after_s: DurationOrZero = Field(description="seconds from the start")
    duration_s: Duration = Field(description="seconds")


class Chaos(Section):
    """Every fault is off unless it is given a chance. Chances are between 0 and 1, drawn by the seed."""

    seed: WholeOrZero | None = Field(
        default=None, description="of all chances below; the exchange's own when absent"
    )
    begin_after_s: DurationOrZero = Field(default=0, description="seconds without faults at the start")
    orders_only: bool = Field(
        default=False, description="faults of requests hit orders and cancels alone: true or false"
    )

    lost_request: Chance = Field(default=0, description="the connection is cut, nothing was executed")
    lost_response: Chance = Field(default=0, description="the connection is cut, the request was executed")
    late_execution: Chance = Field(
        default=0,
        description="the connection is cut, and the order executes later, if it is still in its window",
    )
    late_ms_min: WholeOrZero = Field(default=200, description="milliseconds, the earliest late execution")
    late_ms_max: WholeOrZero = Field(default=3000, description="milliseconds, the latest late execution")
    server_error: Chance = Field(default=0, description="500, 502, 503 or 504; executed or not is drawn too")
    rate_limited: Chance = Field(
        default=0, description="429 with Retry-After; who goes on asking is banned (418)"
    )
    banned: Chance = Field(default=0, description="418 with Retry-After at once")
    retry_after_s: Annotated[Whole, Field(ge=1)] = Field(
        default=2, description="whole seconds, the wait that 429 asks for; a ban lasts twice as long"
    )
    garbage: Chance = Field(
        default=0, description="not executed, and the body is cut JSON, HTML, {}, [] or empty"
    )
    garbage_success: Chance = Field(default=0, description="executed, and the body is garbage all the same")

    stall: Chance = Field(
        default=0, description="each second and connection: the stream falls silent, its socket stays open"
    )
    stall_s: Duration = Field(default=10, description="seconds that a stall lasts")
    disconnect: Chance = Field(default=0, description="each second and connection: the stream is cut")
    lost_report: Chance = Field(default=0, description="a report of the user stream is not sent")
    duplicate_report: Chance = Field(default=0, description="a report of the user stream is sent twice")
    reordered_report: Chance = Field(default=0, description="a report of an order comes after the next one")

    partial_fill: Chance = Field(
        default=0,
        description="an order fills in part; then nothing more is reported of it, nor does it fill",
    )
    silence_s: Duration = Field(
        default=5, description="seconds in which the rest of such an order cannot fill"
    )

    clock_skew_ms: Whole = Field(default=0, description="milliseconds that the exchange's clock is ahead")
    clock_skew_after_s: DurationOrZero = Field(
        default=0, description="seconds from the start at which the clock jumps so far"
    )
    maintenance: tuple[Maintenance, ...] = Field(default=(), description="[[maintenance]] tables")

    @model_validator(mode="after")
    def _late_is_a_range(self) -> Self:
        if self.late_ms_min > self.late_ms_max:
            raise refusal(
                f"more than late_ms_max, which is {self.late_ms_max}",
                "make it at most late_ms_max",
                "late_ms_min",
            )
        return self


def load_chaos(file: Path | None = None, flags: Iterable[str] = ()) -> Chaos:
    """The faults of a file, and `name=value` flags over them. Raises SettingsError with every problem."""
    layers = [_flag_layer(flags)]
    if file is not None:
        layers.append(file_layer(file, "name a TOML file of faults"))
    values: dict[str, Any] = {}
    for layer in reversed(layers):
        values.update(layer.values)
    try:
        return Chaos(**values)
    except ValidationError as error:
        raise SettingsError(problems_in(error, Chaos, layers)) from None


def _flag_layer(flags: Iterable[str]) -> Layer:
    values: dict[str, Any] = {}
    for flag in flags:
        name, equals, written = flag.partition("=")
        if name not in Chaos.model_fields:
            raise SettingsError(
                [Problem(FLAGS, name, "", "unknown fault", nearest(name, list(Chaos.model_fields)))]
            )
        if not equals:
            raise SettingsError([Problem(FLAGS, name, "", "no value", f"write {name}=VALUE")])
        if name in values:
            raise SettingsError([Problem(FLAGS, name, written, "given twice", "give each fault once")])
        try:
            values[name] = tomllib.loads(f"value = {written}")["value"]
        except tomllib.TOMLDecodeError:
            raise SettingsError(
                [Problem(FLAGS, name, written, "not a value", "write a number, true or false")]
            ) from None
    return Layer(FLAGS, values)
