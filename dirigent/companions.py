"""What runs beside the ticks. The end of a companion that money depends on ends the run; any other is begun anew."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click
from loguru import logger

from dirigent.alerts.telling import tell
from dirigent.book_watch import watch_order_books
from dirigent.monitoring.server import serve_metrics
from dirigent.running import Run
from dirigent.service_manager import report
from dirigent.swapping.watching import Watcher
from services.messages import QueryFailed
from services.resumption import refresh_balance
from services.tasks import end_tasks

BEAT_S = 1.0
STATUS_LINE_S = 5.0
BALANCE_S = 10.0
LIMIT_S = 0.05
BEGIN_ANEW_S = 5.0
"""The pause after a companion failed that trading can do without."""

Companion = Callable[[Run], Coroutine[Any, Any, None]]


async def beat(run: Run) -> None:
    """Saves what `status` shows and what a restart warms up from."""
    while True:
        run.engine.state.save_progress(run.heartbeat.beat())
        await asyncio.sleep(BEAT_S)


async def ask_balance(run: Run) -> None:
    """The exchange's word replaces the engine's sum, whenever no order is in flight that would tell them apart."""
    state = run.engine.state
    while True:
        await asyncio.sleep(BALANCE_S)
        try:
            if state.working.orders:
                state.balances = await run.exchange.fetch_balance()
            else:
                await refresh_balance(run.engine.orchestrator, run.exchange)
        except QueryFailed as error:
            logger.bind(event="balance_not_told", error=repr(error)).warning("balance_not_told")


async def keep_limits(run: Run) -> None:
    """Sets `stop` when the run was long enough; waits for ever when it has no limit."""
    loop = asyncio.get_running_loop()
    limits = run.limits
    ends_at_s = None if limits.duration_s is None else loop.time() + limits.duration_s
    while not run.stop.is_set():
        late = ends_at_s is not None and loop.time() >= ends_at_s
        if late or (limits.ticks is not None and run.engine.state.metrics.ticks >= limits.ticks):
            run.stop.set()
        await asyncio.sleep(LIMIT_S)


async def compare_books(run: Run) -> None:
    await run.reconciler.run(float(run.settings.reconcile_every_s))


async def escalate(run: Run) -> None:
    await run.reconciler.run_escalation()


async def obey(run: Run) -> None:
    """Carries out what people command."""
    await run.helm.keep()


async def watch_strategies(run: Run) -> None:
    """Swaps in the strategies' files that are saved."""
    await Watcher(run.helm.swaps).keep()


async def show(run: Run) -> None:
    """The status line of a terminal."""
    while sys.stderr.isatty():
        await asyncio.sleep(STATUS_LINE_S)
        click.echo(run.heartbeat.line(), err=True)


ESSENTIAL: tuple[Companion, ...] = (beat, ask_balance, keep_limits, compare_books, escalate, obey)
"""The run ends when one of these does."""

OPTIONAL: tuple[Companion, ...] = (show, watch_strategies, serve_metrics, tell, report, watch_order_books)
"""What is shown and told to people: its failure costs trading nothing."""


async def _kept_alive(companion: Companion, run: Run) -> None:
    """Begins a failed companion anew after a pause; one that returns has nothing more to do."""
    while True:
        try:
            await companion(run)
        except Exception as error:  # whatever fails while telling people something must not end the trading
            name = companion.__name__
            logger.bind(event="companion_failed", companion=name, error=repr(error)).error("companion_failed")
            await asyncio.sleep(BEGIN_ANEW_S)
        else:
            return


class Companions:
    """The tasks beside one run: `async with` begins them, and its end cancels them and waits for their ends.

    The failure of an essential one is raised at the end of the block, unless the block raises itself.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._essential: list[asyncio.Task[None]] = []
        self._optional: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._essential = [asyncio.create_task(companion(self._run)) for companion in ESSENTIAL]
        for task in self._essential:
            task.add_done_callback(lambda _: self._run.stop.set())
        self._optional = [asyncio.create_task(_kept_alive(companion, self._run)) for companion in OPTIONAL]

    async def __aexit__(self, kind: object, error: BaseException | None, _: object) -> None:
        faults = await end_tasks((*self._essential, *self._optional))
        if error is None:
            for fault in faults:
                if fault is not None:
                    raise fault
