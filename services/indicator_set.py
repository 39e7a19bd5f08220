"""The indicators of one symbol, each kept once for all who need it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from services.indicators import CheckpointError, Indicator, checked_mapping
from services.order_book import LEVELS_MAX, BookView, OrderBook

AnIndicator = TypeVar("AnIndicator", bound=Indicator)
Identity = tuple[type[Indicator], tuple[int, ...]]


class IndicatorSet:
    """The indicators of one symbol: one object for each kind and periods, shared by all who need it.

    `updates` are the methods to call with each sample.
    """

    __slots__ = ("_also", "_known", "_users", "book", "updates")

    def __init__(self) -> None:
        self._also: tuple[Callable[[float], None], ...] = ()
        self._known: dict[Identity, Indicator] = {}
        self._users: Counter[Identity] = Counter()
        self.updates: tuple[Callable[[float], None], ...] = ()
        self.book = OrderBook()
        """Beside the indicators, and in none of their states."""

    def order_book(self, levels: int = LEVELS_MAX) -> BookView:
        """Asks for the book; `book.release` takes it back."""
        return self.book.ask_for(levels)

    def need(self, kind: type[AnIndicator], *periods: int) -> AnIndicator:
        """`need(Sma, 5)`; cold when nobody needed it before."""
        identity = (kind, periods)
        indicator = self._known.get(identity)
        if indicator is None:
            indicator = self._known[identity] = kind(*periods)
            self._collect_updates()
        self._users[identity] += 1
        assert isinstance(indicator, kind)
        return indicator

    def release(self, indicator: Indicator) -> None:
        """Takes back one `need`; with the last one the indicator goes. Raises KeyError for an unknown one."""
        identity = next((key for key, known in self._known.items() if known is indicator), None)
        if identity is None:
            raise KeyError(indicator)
        self._users[identity] -= 1
        if not self._users[identity]:
            del self._users[identity], self._known[identity]
            self._collect_updates()

    def also_update(self, update: Callable[[float], None]) -> None:
        """Something that takes each sample in and is no indicator."""
        self._also = (*self._also, update)
        self._collect_updates()

    def identities(self) -> frozenset[Identity]:
        return frozenset(self._known)

    def warm_from(self, others: "IndicatorSet", identities: Iterable[Identity]) -> None:
        """These indicators go on where the same ones of `others` are, as far as both sets have them."""
        for identity in identities:
            if identity in self._known and identity in others._known:
                self._known[identity].restore(others._known[identity].state())

    def state(self) -> dict[str, Any]:
        return {_name(*identity): indicator.state() for identity, indicator in self._known.items()}

    def restore(self, states: Mapping[str, Any]) -> None:
        """All or none. What `states` lacks starts cold; a state that nobody needs is left aside."""
        for trial in (True, False):
            for (kind, periods), known in self._known.items():
                state = states.get(_name(kind, periods))
                indicator = kind(*periods) if trial else known
                try:
                    indicator.restore(kind(*periods).state() if state is None else checked_mapping(state))
                except CheckpointError as error:
                    raise CheckpointError(f"{_name(kind, periods)}: {error}") from None

    def _collect_updates(self) -> None:
        self.updates = (*(indicator.update for indicator in self._known.values()), *self._also)


def _name(kind: type[Indicator], periods: tuple[int, ...]) -> str:
    return f"{kind.__name__.lower()}({','.join(map(str, periods))})"
