"""A rehearsal exchange beside a daemon under test, and configurations that trade on it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dirigent.configuration.sample import literal
from dirigent.proofs.death.configurations import Market, restless
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings

_Answer = TypeVar("_Answer")


class Beside:
    """A rehearsal exchange in a thread of its own, so that a test may wait for a process."""

    def __init__(self, server: Rehearsal, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop

    def do(self, work: Callable[[Rehearsal], _Answer]) -> _Answer:
        """Runs where the exchange lives, and waits for the answer."""

        async def answer() -> _Answer:
            return work(self.server)

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(10)

    @property
    def audit(self) -> dict[str, Any]:
        return self.do(lambda server: server.audit())

    def configuration(self, mode: str = "paper", *, keys: bool = False, exchange: str = "binance") -> str:
        options = self.server.ccxt_options()
        del options["options"]  # lists are not written by `literal`, and the connector has the same default
        credentials = {name: options.pop(name) for name in ("apiKey", "secret")}
        if keys:
            options.update(credentials)
        return f'mode = "{mode}"\n[exchange]\nid = "{exchange}"\noptions = {literal(options)}\n'


@contextmanager
def rehearsing(settings: RehearsalSettings) -> Iterator[Beside]:
    begun, ended = threading.Event(), asyncio.Event()
    held: list[Beside] = []
    faults: list[BaseException] = []

    async def run() -> None:
        try:
            async with Rehearsal(settings) as server:
                held.append(Beside(server, asyncio.get_running_loop()))
                begun.set()
                await ended.wait()
        except BaseException as error:
            faults.append(error)
            begun.set()
            raise

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="rehearsal")
    thread.start()
    begun.wait(20)
    try:
        if faults:
            raise faults[0]
        yield held[0]
    finally:
        if held:
            held[0]._loop.call_soon_threadsafe(ended.set)
        thread.join(20)


def restless_on(beside: Beside, mode: str = "paper", *, keys: bool = False) -> str:
    """Deals all the time, on the prices of the rehearsal exchange."""
    symbols = beside.server.settings.symbols
    return beside.configuration(mode, keys=keys) + restless(Market(latency_ms_max=10), symbols)
