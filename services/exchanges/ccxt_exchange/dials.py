"""When who lost a connection may dial again: soon, all of one connection at once, and few in all while nobody answers.

Streams that share a connection wait for one turn of it: the first of them dials, the others join that dial. When
anything is heard on a new connection, or the exchange answers again, nobody waits any longer.
"""

import asyncio
import random
from dataclasses import dataclass, field

from services.exchanges.ccxt_exchange.connections import Connections

PAUSE_MIN_S = 0.25
PAUSE_MAX_S = 2.0
"""Between two dials of one connection: part of how long a recovery takes."""
TURNS_PER_S = 0.5
"""Of all connections together, while nothing is heard on any. Binance allows an address 300 in five minutes: half of
them for prices and half for reports."""


@dataclass(slots=True)
class Turn:
    """One connection's next dial."""

    has_come: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None
    is_of_network: bool = True


class Dials:
    """The turns of one exchange instance's connections, by their addresses."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}
        self._free_s = 0.0
        self._is_in_vain = False
        """Since the last turn nothing was heard."""

    def follow(self, connections: Connections) -> None:
        """What is heard on a new one of these connections calls back whoever waits to dial."""
        connections.when_heard(lambda _: self.hurry(even_refused=False))

    async def turn(self, name: str, failures: int) -> None:
        """Waits for the next turn of this connection, after so many failures in a row."""
        await self._wait(name, failures, PAUSE_MAX_S, is_of_network=True)

    async def refused_turn(self, name: str, failures: int, longest_s: float) -> None:
        """As `turn`, for what the exchange refused: a new connection elsewhere is no news for it."""
        await self._wait(name, failures, longest_s, is_of_network=False)

    def hurry(self, *, even_refused: bool = True) -> None:
        """Whoever waits goes now."""
        for name, turn in list(self._turns.items()):
            if turn.is_of_network or even_refused:
                self._come(name)
        self._is_in_vain = False

    async def _wait(self, name: str, failures: int, longest_s: float, *, is_of_network: bool) -> None:
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = Turn(is_of_network=is_of_network)
            pause_s = min(PAUSE_MIN_S * 2 ** min(failures - 1, 10), longest_s) * random.uniform(0.5, 1.0)
            turn.timer = asyncio.get_running_loop().call_later(pause_s, self._due, name)
        await turn.has_come.wait()

    def _due(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        if not (self._is_in_vain and self._turns[name].is_of_network):
            self._come(name)
            return
        at_s = max(loop.time(), self._free_s)
        self._free_s = at_s + 1 / TURNS_PER_S
        self._turns[name].timer = loop.call_at(at_s, self._come, name)

    def _come(self, name: str) -> None:
        turn = self._turns.pop(name)
        if turn.timer is not None:
            turn.timer.cancel()
        if turn.is_of_network and not self._is_in_vain:
            self._is_in_vain = True
            self._free_s = asyncio.get_running_loop().time() + 1 / TURNS_PER_S
        turn.has_come.set()
