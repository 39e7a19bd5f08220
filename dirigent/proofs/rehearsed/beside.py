"""A rehearsal exchange beside the process under test: in a thread of its own, so that it outlives every kill."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from dirigent.configuration.sample import literal
from dirigent.proofs.methods import replace_method
from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from services.exchanges.paper_file import Audit

_Answer = TypeVar("_Answer")
_PATIENCE_S = 20.0


class Beside:
    """What another thread may ask of a rehearsal exchange."""

    def __init__(self, server: Rehearsal, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop
        self._usual_tick = server.venue.tick

    def do(self, work: Callable[[Rehearsal], _Answer]) -> _Answer:
        """Runs where the exchange lives, and waits for the answer."""

        async def answer() -> _Answer:
            return work(self.server)

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(_PATIENCE_S)

    @property
    def audit(self) -> dict[str, Any]:
        return self.do(lambda server: server.audit())

    @property
    def book(self) -> Audit:
        """Its orders, fills and money as they are now, in the form in which the paper exchange tells its own."""
        return self.do(_copied)

    def set_faults(self, chaos: Chaos) -> None:
        """From now on these chances and this maintenance hold; how long a stall, a silence and a wait take, and
        what the clock says, stays as it was."""

        def change(server: Rehearsal) -> None:
            server.venue.faults.chaos = chaos
            server.venue.clock.maintenance = chaos.maintenance

        self.do(change)

    def set_still(self, is_still: bool) -> None:
        """While it is still, prices are told as often as ever, and do not move."""

        def change(server: Rehearsal) -> None:
            venue = server.venue

            def tick(symbol: str) -> None:
                venue.move_to(symbol, venue.desk.point(symbol).last)

            replace_method(venue, "tick", tick if is_still else self._usual_tick)

        self.do(change)

    def end(self, ended: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(ended.set)

    def configuration(
        self,
        mode: str = "paper",
        *,
        keys: bool = False,
        exchange: str = "binance",
        options: Mapping[str, Any] | None = None,
    ) -> str:
        """The beginning of a configuration that trades here; `options` go to ccxt beside the addresses."""
        here = self.server.ccxt_options()
        del here["options"]  # lists are not written by `literal`, and the connector has the same default
        credentials = {name: here.pop(name) for name in ("apiKey", "secret")}
        if keys:
            here.update(credentials)
        here.update(options or {})
        return f'mode = "{mode}"\n[exchange]\nid = "{exchange}"\noptions = {literal(here)}\n'


@contextmanager
def rehearsing(settings: RehearsalSettings) -> Iterator[Beside]:
    """Serves for as long as the block lasts."""
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
    begun.wait(_PATIENCE_S)
    try:
        if faults:
            raise faults[0]
        yield held[0]
    finally:
        if held and not faults:
            held[0].end(ended)
        thread.join(_PATIENCE_S)


def _copied(server: Rehearsal) -> Audit:
    desk = server.venue.desk
    orders = [replace(order.book, fills=list(order.fills)) for order in desk.orders.values()]
    return Audit(orders, desk.ledger.balances(), dict(desk.start))
