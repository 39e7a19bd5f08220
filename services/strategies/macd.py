"""`macd`: buys when the MACD histogram turns positive, sells when it turns negative."""

from collections.abc import Mapping
from typing import Any, ClassVar

from fsm.values import Side
from services.indicators import PERIOD_MAX, Macd
from services.messages import Tick
from services.strategies.base import IndicatorSource, Parameter, Strategy, StrategyError, Vote
from services.strategies.crossing import Crossing


class MacdCross(Strategy):
    """Votes with full strength, once a crossing; never with the first sample that warms it up."""

    name = "macd"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "fast": Parameter(12, 1, PERIOD_MAX - 1, "samples of the fast average"),
        "slow": Parameter(26, 2, PERIOD_MAX, "samples of the slow average"),
        "signal": Parameter(9, 1, PERIOD_MAX, "samples of the average of their difference"),
    }

    def __init__(self, params: Mapping[str, object] | None = None) -> None:
        super().__init__(params)
        fast, slow = self.params["fast"], self.params["slow"]
        if fast >= slow:
            raise StrategyError(f"strategy {self.name}: fast = {fast} is not below slow = {slow}")
        self._crossing = Crossing()

    def bind(self, indicators: IndicatorSource) -> None:
        self._macd = indicators.need(Macd, *(self.params[name] for name in ("fast", "slow", "signal")))

    @property
    def samples_needed(self) -> int:
        return int(self.params["slow"] + self.params["signal"] - 1)

    def on_sample(self, tick: Tick) -> Vote | None:
        macd = self._macd
        if not macd.ready or not self._crossing.crosses(macd.histogram, tick.last):
            return None
        side, turned = (Side.BUY, "positive") if self._crossing.side > 0 else (Side.SELL, "negative")
        return Vote(side, 1.0, f"histogram turned {turned}: {self._numbers()}")

    def why_not(self) -> str:
        macd = self._macd
        if not macd.ready:
            return f"not warmed up: {macd.samples} of {macd.samples_needed} samples"
        return f"no crossing: {self._numbers()}"

    def _numbers(self) -> str:
        macd = self._macd
        return f"macd {macd.value:.8g} less signal {macd.signal:.8g} is {macd.histogram:.8g}"

    def state(self) -> dict[str, Any]:
        return self._crossing.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._crossing.restore(state)
