"""Incremental indicators over prices: constant work a sample, bounded memory, exact checkpoints.

They calculate with floats: they advise, and no amount that is sent or booked comes from them. A state that
went through JSON continues bit for bit: JSON keeps every float, and the state holds all that is read later.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import fsum, isfinite, log, nan, sqrt
from typing import Any

PERIOD_MAX = 10_000
"""Bounds the memory of one indicator to about 320 kB."""


class CheckpointError(ValueError):
    """A saved state that does not fit what it should restore; nothing was changed."""


class Indicator(ABC):
    """What every indicator is, made from its periods. Its values are NaN until `ready`."""

    __slots__ = ("ready",)

    ready: bool

    @abstractmethod
    def __init__(self, *periods: int) -> None: ...

    @property
    @abstractmethod
    def samples(self) -> int: ...

    @property
    @abstractmethod
    def samples_needed(self) -> int: ...

    @abstractmethod
    def update(self, sample: float, /) -> None: ...

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """JSON-able; whoever restores it goes on as if nothing had been between."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any], /) -> None:
        """Raises CheckpointError, having changed nothing, when the state is not one of this indicator's."""


class Sma(Indicator):
    """The simple moving average: the mean of the last `period` samples.

    The running sum is summed anew, correctly rounded, each time the whole window has been replaced, so that a
    rounding error lives for one window at most.
    """

    __slots__ = ("_laps", "_period", "_position", "_total", "_window", "value")

    def __init__(self, period: int) -> None:
        self._period = _checked_period(period, least=1)
        self._window = [0.0] * period
        self._position = 0
        self._laps = 0
        self._total = 0.0
        self.ready = False
        self.value = nan

    @property
    def samples(self) -> int:
        return self._laps * self._period + self._position

    @property
    def samples_needed(self) -> int:
        return self._period

    def update(self, sample: float, /) -> None:
        window, position = self._window, self._position
        total = self._total + (sample - window[position])
        window[position] = sample
        position += 1
        if position == self._period:
            total = fsum(window)
            position = 0
            self._laps += 1
            self.ready = True
        self._position = position
        self._total = total
        if self.ready:
            self.value = total / self._period

    def state(self) -> dict[str, Any]:
        filled = self._period if self._laps else self._position
        return {"samples": self.samples, "window": self._window[:filled], "total": self._total}

    def restore(self, state: Mapping[str, Any], /) -> None:
        samples = _count(state, "samples")
        window = _numbers(state, "window", length=min(samples, self._period))
        total = _number(state, "total")
        self._laps, self._position = divmod(samples, self._period)
        self._window = window + [0.0] * (self._period - len(window))
        self._total = total
        self.ready = self._laps > 0
        self.value = total / self._period if self.ready else nan


class Ema(Indicator):
    """The exponential moving average, alpha = 2 / (period + 1), seeded by the mean of `period` samples.

    Source: R. G. Brown's exponential smoothing with the alpha of technical analysis, as in J. J. Murphy,
    "Technical Analysis of the Financial Markets" (1999), chapter 9; seeded as TA-Lib's EMA is.
    """

    __slots__ = ("_alpha", "_period", "_samples", "_total", "value")

    def __init__(self, period: int) -> None:
        self._period = _checked_period(period, least=1)
        self._alpha = 2.0 / (period + 1)
        self._samples = 0
        self._total = 0.0
        self.ready = False
        self.value = nan

    @property
    def samples(self) -> int:
        return self._samples

    @property
    def samples_needed(self) -> int:
        return self._period

    def update(self, sample: float, /) -> None:
        self._samples += 1
        if self.ready:
            value = self.value
            self.value = value + self._alpha * (sample - value)
            return
        self._total += sample
        if self._samples == self._period:
            self.value = self._total / self._period
            self.ready = True

    def state(self) -> dict[str, Any]:
        return {"samples": self._samples, "value": self.value if self.ready else self._total}

    def restore(self, state: Mapping[str, Any], /) -> None:
        samples = _count(state, "samples")
        value = _number(state, "value")
        self._samples = samples
        self.ready = samples >= self._period
        self.value = value if self.ready else nan
        self._total = 0.0 if self.ready else value


class Macd(Indicator):
    """Gerald Appel's moving average convergence/divergence: a fast EMA less a slow one, and an EMA of that.

    `value` is the MACD line, `signal` its EMA, `histogram` value less signal; all NaN until all can be told.
    Each average is seeded by its own first samples.
    """

    __slots__ = ("_fast", "_line", "_slow", "histogram", "signal", "value")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        if not fast < slow:
            raise ValueError(f"the fast period {fast} must be below the slow period {slow}")
        self._fast = Ema(fast)
        self._slow = Ema(slow)
        self._line = Ema(signal)
        self.ready = False
        self.value = self.signal = self.histogram = nan

    @property
    def samples(self) -> int:
        return self._slow.samples

    @property
    def samples_needed(self) -> int:
        return self._slow.samples_needed + self._line.samples_needed - 1

    def update(self, sample: float, /) -> None:
        self._fast.update(sample)
        self._slow.update(sample)
        if self._slow.ready:
            line = self._line
            value = self._fast.value - self._slow.value
            line.update(value)
            if line.ready:
                self.value, self.signal, self.histogram = value, line.value, value - line.value
                self.ready = True

    def state(self) -> dict[str, Any]:
        return {"fast": self._fast.state(), "slow": self._slow.state(), "signal": self._line.state()}

    def restore(self, state: Mapping[str, Any], /) -> None:
        parts = [Ema(average.samples_needed) for average in (self._fast, self._slow, self._line)]
        for part, name in zip(parts, ("fast", "slow", "signal"), strict=True):
            part.restore(checked_mapping(state.get(name)))
        fast, slow, line = parts
        if fast.samples != slow.samples or line.samples != max(0, slow.samples - slow.samples_needed + 1):
            raise CheckpointError("the three averages have not seen the same samples")
        self._fast, self._slow, self._line = fast, slow, line
        self.ready = line.ready
        self.value = fast.value - slow.value if self.ready else nan
        self.signal = line.value
        self.histogram = self.value - self.signal


class Volatility(Indicator):
    """The sample standard deviation (n - 1) of the last `period` log returns: not scaled to a year.

    Source: J. C. Hull, "Options, Futures, and Other Derivatives", estimating volatility from historical data.
    Mean and sum of squares roll by Welford's update; both are computed anew, in two passes, once a window.
    Samples are prices above zero.
    """

    __slots__ = ("_laps", "_mean", "_period", "_position", "_previous", "_squares", "_window")

    def __init__(self, period: int) -> None:
        self._period = _checked_period(period, least=2)
        self._window = [0.0] * period
        self._previous = 0.0
        self._position = 0
        self._laps = 0
        self._mean = 0.0
        self._squares = 0.0
        self.ready = False

    @property
    def samples(self) -> int:
        return self._laps * self._period + self._position + (self._previous > 0.0)

    @property
    def samples_needed(self) -> int:
        return self._period + 1

    @property
    def value(self) -> float:
        return sqrt(max(self._squares, 0.0) / (self._period - 1)) if self.ready else nan

    def update(self, sample: float, /) -> None:
        previous, self._previous = self._previous, sample
        if previous == 0.0:
            return
        change = log(sample / previous)
        window, position = self._window, self._position
        leaving = window[position]
        window[position] = change
        position += 1
        if position == self._period:
            self._position = 0
            self._laps += 1
            self._mean = mean = fsum(window) / self._period
            self._squares = fsum([(change - mean) ** 2 for change in window])
            self.ready = True
            return
        self._position = position
        if self.ready:
            mean = self._mean
            step = change - leaving
            self._mean = moved = mean + step / self._period
            self._squares += step * (change - moved + leaving - mean)

    def state(self) -> dict[str, Any]:
        filled = self._period if self._laps else self._position
        return {
            "samples": self.samples,
            "previous": self._previous,
            "window": self._window[:filled],
            "mean": self._mean,
            "squares": self._squares,
        }

    def restore(self, state: Mapping[str, Any], /) -> None:
        samples = _count(state, "samples")
        returns = max(0, samples - 1)
        window = _numbers(state, "window", length=min(returns, self._period))
        previous, mean, squares = (_number(state, name) for name in ("previous", "mean", "squares"))
        if (previous > 0.0) != (samples > 0):
            raise CheckpointError(f"previous: {previous!r} does not go with {samples} samples")
        self._previous, self._mean, self._squares = previous, mean, squares
        self._laps, self._position = divmod(returns, self._period)
        self._window = window + [0.0] * (self._period - len(window))
        self.ready = self._laps > 0


def _checked_period(period: int, least: int) -> int:
    if not least <= period <= PERIOD_MAX:
        raise ValueError(f"a period of {period} is not between {least} and {PERIOD_MAX}")
    return period


def checked_mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CheckpointError(f"expected an object, got {value!r}")
    return value


def _count(state: Mapping[str, Any], name: str) -> int:
    value = state.get(name)
    if type(value) is not int or value < 0:
        raise CheckpointError(f"{name}: expected a whole number of at least 0, got {value!r}")
    return value


def _number(state: Mapping[str, Any], name: str) -> float:
    return _finite(name, state.get(name))


def _numbers(state: Mapping[str, Any], name: str, length: int) -> list[float]:
    values = state.get(name)
    if not isinstance(values, list) or len(values) != length:
        raise CheckpointError(f"{name}: expected {length} numbers, got {values!r}")
    return [_finite(name, value) for value in values]


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise CheckpointError(f"{name}: expected a finite number, got {value!r}")
    return float(value)
