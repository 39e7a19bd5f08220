"""Between the engine and its store and exchange: what passes is timed and counted, and otherwise left alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns

from dirigent.monitoring.instruments import Instruments
from dirigent.wiring import Engine
from fsm.commit import CommitBatch, Progress, StoredState
from services.messages import CancelRefused, OrderRefused, OrderReport, OrderRequest
from services.ports import OrderDesk, Store


class TimedStore:
    """Times each commit, and counts what its journal says once it is stored."""

    def __init__(self, store: Store, instruments: Instruments) -> None:
        self._store = store
        self._instruments = instruments

    def load(self) -> StoredState:
        return self._store.load()

    def commit(self, batch: CommitBatch) -> None:
        instruments = self._instruments
        started_ns = perf_counter_ns()
        try:
            self._store.commit(batch)
        except BaseException:
            instruments.commits_failed += 1
            raise
        instruments.commits.record(perf_counter_ns() - started_ns)
        instruments.note_journal(batch.journal)

    def save_progress(self, progress: Progress) -> None:
        self._store.save_progress(progress)


class TimedDesk:
    """Times each request to the exchange until its answer, and counts how it ended."""

    def __init__(self, desk: OrderDesk, instruments: Instruments) -> None:
        self._desk = desk
        self._instruments = instruments

    @property
    def late_arrival_ms(self) -> int:
        return self._desk.late_arrival_ms

    async def create_order(self, request: OrderRequest) -> OrderReport:
        with self._timed("create"):
            return await self._desk.create_order(request)

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        with self._timed("cancel"):
            return await self._desk.cancel_order(client_order_id, symbol)

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        with self._timed("fetch"):
            return await self._desk.fetch_order(client_order_id, symbol)

    async def watch_orders(self) -> list[OrderReport]:
        return await self._desk.watch_orders()

    @contextmanager
    def _timed(self, request: str) -> Iterator[None]:
        started_ns = perf_counter_ns()
        outcome = "lost"
        try:
            yield
            outcome = "answered"
        except (OrderRefused, CancelRefused):
            outcome = "refused"
            raise
        finally:
            self._instruments.requests[request].record(perf_counter_ns() - started_ns)
            self._instruments.outcomes[request, outcome] += 1


@contextmanager
def installed_in(engine: Engine) -> Iterator[Instruments]:
    """The taps, in place for as long as the block lasts: an engine that nobody measures pays for none."""
    instruments = Instruments()
    store, desk = engine.state.store, engine.orders.desk
    engine.state.store = TimedStore(store, instruments)
    engine.orders.desk = TimedDesk(desk, instruments)
    try:
        yield instruments
    finally:
        engine.state.store, engine.orders.desk = store, desk
