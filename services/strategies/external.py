"""`external`: votes for nothing; its pair trades on signals that are handed to the engine from outside."""

from services.messages import Tick
from services.strategies.base import IndicatorSource, Strategy, Vote


class External(Strategy):
    name = "external"
    can_vote = False

    def bind(self, indicators: IndicatorSource) -> None:
        """It needs none."""

    @property
    def samples_needed(self) -> int:
        return 0

    def on_sample(self, tick: Tick) -> Vote | None:
        return None

    def why_not(self) -> str:
        return "signals come from outside only"
