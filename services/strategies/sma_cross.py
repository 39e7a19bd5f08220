"""`sma_cross`: buys when a fast simple moving average comes out above a slow one, sells when below."""

from collections.abc import Mapping
from typing import Any, ClassVar

from fsm.values import Side
from services.indicators import PERIOD_MAX, Sma
from services.messages import Tick
from services.strategies.base import IndicatorSource, Parameter, Strategy, StrategyError, Vote
from services.strategies.crossing import Crossing


class SmaCross(Strategy):
    """Votes with full strength, once a crossing; never with the first sample that warms it up."""

    name = "sma_cross"
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "fast": Parameter(5, 1, PERIOD_MAX - 1, "samples of the fast average"),
        "slow": Parameter(20, 2, PERIOD_MAX, "samples of the slow average"),
    }

    def __init__(self, params: Mapping[str, object] | None = None) -> None:
        super().__init__(params)
        fast, slow = self.params["fast"], self.params["slow"]
        if fast >= slow:
            raise StrategyError(f"strategy {self.name}: fast = {fast} is not below slow = {slow}")
        self._crossing = Crossing()

    def bind(self, indicators: IndicatorSource) -> None:
        self._fast = indicators.need(Sma, self.params["fast"])
        self._slow = indicators.need(Sma, self.params["slow"])

    @property
    def samples_needed(self) -> int:
        return int(self.params["slow"])

    def on_sample(self, tick: Tick) -> Vote | None:
        slow = self._slow
        if not slow.ready:
            return None
        level = slow.value
        if not self._crossing.crosses(self._fast.value - level, level):
            return None
        side, came_out = (Side.BUY, "above") if self._crossing.side > 0 else (Side.SELL, "below")
        return Vote(side, 1.0, f"fast {self._fast.value:.8g} came out {came_out} slow {level:.8g}")

    def why_not(self) -> str:
        fast, slow = self._fast, self._slow
        if not slow.ready:
            return f"not warmed up: {slow.samples} of {slow.samples_needed} samples"
        where = {1: "above", -1: "below", 0: "level with"}[self._crossing.side]
        return f"fast {fast.value:.8g} {where} slow {slow.value:.8g}, no crossing"

    def state(self) -> dict[str, Any]:
        return self._crossing.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._crossing.restore(state)
