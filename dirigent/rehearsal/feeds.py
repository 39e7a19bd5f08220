"""The market streams: who has subscribed to what, and what a tick says to each."""

from collections.abc import Callable, Iterable

from dirigent.rehearsal import market_events as events
from dirigent.rehearsal import market_shapes as shapes
from dirigent.rehearsal.connection import Connection, encoded
from dirigent.rehearsal.markets import Markets
from dirigent.rehearsal.shapes import Json, market_id
from dirigent.rehearsal.tape import INTERVALS_MS, Tape

Shape = Callable[[Markets, Tape], Json]

_EVENTS: dict[str, Shape] = {
    "ticker": events.day_event,
    "miniTicker": lambda _markets, tape: events.mini_event(tape),
    "bookTicker": events.best_event,
    "trade": lambda _markets, tape: events.trade_event(tape),
    "aggTrade": lambda _markets, tape: events.aggregate_event(tape),
    "depth": events.depth_event,
}
_ALL_MARKETS = {
    "!ticker@arr": _EVENTS["ticker"],
    "!miniTicker@arr": _EVENTS["miniTicker"],
}


class Feeds:
    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._subscribed: dict[str, dict[str, set[Connection]]] = {}
        self._wrapped: set[Connection] = set()

    def wrap(self, connection: Connection) -> None:
        """A combined stream: each event comes with the name of its stream."""
        self._wrapped.add(connection)

    def subscribe(self, connection: Connection, names: Iterable[str]) -> None:
        """Raises ValueError for a stream that does not exist; then nothing is subscribed."""
        for market, kind in [self._split(name) for name in names]:
            self._subscribed.setdefault(market, {}).setdefault(kind, set()).add(connection)

    def unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        for market, kind in [self._split(name) for name in names]:
            self._subscribed.get(market, {}).get(kind, set()).discard(connection)

    def forget(self, connection: Connection) -> None:
        self._wrapped.discard(connection)
        for kinds in self._subscribed.values():
            for connections in kinds.values():
                connections.discard(connection)

    def names_of(self, connection: Connection) -> list[str]:
        return [
            f"{market}@{kind}" if kind else market
            for market, kinds in self._subscribed.items()
            for kind, connections in kinds.items()
            if connection in connections
        ]

    def told(self, tape: Tape) -> None:
        """A market has moved: every stream of it says so."""
        market = market_id(tape.point.symbol).lower()
        for kind, connections in self._subscribed.get(market, {}).items():
            if connections:
                self._send(f"{market}@{kind}", self._event(kind, tape), connections)

    def told_all(self) -> None:
        """Once a second: the streams of all markets."""
        for name, shape in _ALL_MARKETS.items():
            connections = self._subscribed.get(name, {}).get("")
            if connections:
                told = [shape(self._markets, tape) for tape in self._markets.tapes.values()]
                self._send(name, told, connections)

    def _send(self, name: str, event: Json | list[Json], connections: set[Connection]) -> None:
        frame = encoded(event)
        for connection in connections:
            if connection in self._wrapped:
                connection.send(f'{{"stream":"{name}","data":{frame}}}')
            else:
                connection.send(frame)

    def _event(self, kind: str, tape: Tape) -> Json:
        base = kind.partition("@")[0]
        shape = _EVENTS.get(base)
        if shape is not None:
            return shape(self._markets, tape)
        if base.startswith("kline_"):
            interval = base.removeprefix("kline_")
            return events.candle_event(tape, interval, INTERVALS_MS[interval])
        return shapes.depth_shape(self._markets, tape, int(base.removeprefix("depth")))

    def _split(self, name: str) -> tuple[str, str]:
        if name in _ALL_MARKETS:
            return name, ""
        market, _, kind = name.partition("@")
        base = kind.partition("@")[0]
        known = (
            base in _EVENTS
            or base in ("depth5", "depth10", "depth20")
            or (base.startswith("kline_") and base.removeprefix("kline_") in INTERVALS_MS)
        )
        if market.upper() not in self._markets.ids or market != market.lower() or not known:
            raise ValueError(name)
        return market, kind
