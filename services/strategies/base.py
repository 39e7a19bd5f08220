"""The contract of a strategy: checked parameters, indicators, one vote a sample or a reason for none."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from fsm.values import Side
from services.indicators import CheckpointError, Indicator
from services.messages import Tick
from services.order_book import BookView as BookView
from services.strategies.parameters import Parameter as Parameter
from services.strategies.parameters import StrategyError as StrategyError
from services.strategies.parameters import checked_parameters
from services.strategies.parameters import nearest as nearest

AnIndicator = TypeVar("AnIndicator", bound=Indicator)


class IndicatorSource(Protocol):
    def need(self, kind: type[AnIndicator], *periods: int) -> AnIndicator:
        """The one indicator of this kind and these periods, shared with whoever needs the same."""

    def order_book(self) -> BookView:
        """The live book of the pair, as many levels as `order_book_depth` says; empty where none is known.

        Raises StrategyError for a strategy that does not say so.
        """


@dataclass(frozen=True, slots=True)
class Vote:
    """One strategy's wish at one sample. `strength` is between 0 and 1; `reason` has the numbers."""

    side: Side
    strength: float
    reason: str

    def __post_init__(self) -> None:
        if self.side not in tuple(Side):
            raise ValueError(f"side {self.side!r} is neither buy nor sell")
        if not 0.0 <= self.strength <= 1.0:
            raise ValueError(f"strength {self.strength!r} is not between 0 and 1")


class Strategy(ABC):
    """One strategy of one symbol. Its indicators have taken a sample in before `on_sample` is called with it.

    A subclass sets `name` and `parameters`, asks for its indicators in `bind`, votes in `on_sample`. What it
    remembers itself goes through `state` and `restore`; indicators are saved by their owner.
    """

    name: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    can_vote: ClassVar[bool] = True
    """False for one that never votes: its weight does not count."""
    order_book_depth: ClassVar[int] = 0
    """How many levels of the order book's sides it reads; 0 for one that asks for no book."""

    def __init__(self, params: Mapping[str, object] | None = None) -> None:
        self.params: dict[str, Any] = checked_parameters(self.name, self.parameters, params or {})

    @abstractmethod
    def bind(self, indicators: IndicatorSource) -> None:
        """Called once, before the first sample."""

    @abstractmethod
    def on_sample(self, tick: Tick) -> Vote | None: ...

    @abstractmethod
    def why_not(self) -> str:
        """Why the last sample brought no vote, with numbers. Made when asked: silence is free."""

    @property
    @abstractmethod
    def samples_needed(self) -> int:
        """How many samples warm it up; it can vote from the next one on."""

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Raises CheckpointError, having changed nothing, when the state is not one of this strategy's."""
        if state:
            raise CheckpointError(f"strategy {self.name} keeps no state, got {dict(state)!r}")

    def __str__(self) -> str:
        params = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.name}({params})" if params else self.name
