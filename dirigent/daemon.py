"""The daemon: opens store and exchange, resumes, trades until told to stop, and leaves everything as it stands."""

import asyncio
import os
import signal
from functools import partial

import click
from loguru import logger

from dirigent.assembly import all_rules, assemble
from dirigent.companions import Companions
from dirigent.configuration.settings import Settings
from dirigent.connection_status import connection_of
from dirigent.heartbeat import Heartbeat
from dirigent.recalling import recall
from dirigent.running import Limits, Run
from dirigent.steering.commanded_pairs import with_commanded_pairs
from dirigent.steering.helm import helm
from dirigent.steering.reloading import Configuration
from dirigent.story import TellingStore
from dirigent.swapping.hanging import hanging_strategies_broken_off
from dirigent.venues import (
    Unreachable,
    opened,
    refuse_what_cannot_trade,
    tell_gaps,
    tolerances,
    unless_stopped,
)
from fsm.commit import StoredState
from run_realtime_trading import trade
from services.clocks import SystemClock
from services.messages import KeysRefused, QueryFailed
from services.reconciliation.reconciler import Reconciler
from services.resumption import Resumption, resume
from services.tasks import end_tasks

STOP_PATIENCE_S = 3.5
"""How long a stop waits for answers under way; with what follows it stays below five seconds."""
BALANCE_PATIENCE_S = 0.5


def run(
    settings: Settings, limits: Limits, *, live: bool = False, configuration: Configuration | None = None
) -> int:
    """Trades until a signal or a limit ends it. Exit code 0; 1 when the engine had to give up.

    `configuration` is where `dirigent reload` reads the settings again. Raises Refused, Unreachable or
    StoreError when it does not start.
    """
    refuse_what_cannot_trade(settings, live)
    with hanging_strategies_broken_off():
        return asyncio.run(_run(settings, limits, configuration))


async def _run(settings: Settings, limits: Limits, configuration: Configuration | None) -> int:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    clock = SystemClock()
    store = TellingStore.open(settings.database, mode=settings.mode, exchange=settings.exchange.id)
    try:
        stored = store.load()
        settings = with_commanded_pairs(settings, stored.facts)
        rules = all_rules(settings, stored)
        async with unless_stopped(opened(settings, list(rules), clock), stop) as exchange:
            if exchange is None:
                click.echo("stopped before the exchange had answered; nothing was begun", err=True)
                return 0
            engine = assemble(settings, rules, store, exchange, clock, stored.facts)
            reconciler = Reconciler(
                engine.orchestrator,
                exchange,
                store,
                unknown_escalates_s=float(settings.unknown_escalates_s),
                tolerances=tolerances(settings, engine.risk.market_rules),
            )
            tell_gaps(exchange, reconciler.request)
            heartbeat = Heartbeat(
                engine, clock, settings.mode, settings.exchange.id, clock.now_ms(), reconciler=reconciler
            )
            heartbeat.connection = partial(connection_of, exchange)
            recall(engine, heartbeat.assessor, store, stored)
            held = helm(settings, engine, exchange, store, configuration)
            this_run = Run(
                settings, engine, exchange, store, clock, heartbeat, reconciler, limits, stop, held
            )
            resumption = await _resume(this_run, stored)
            if resumption is None:
                await _wind_down(this_run)
            else:
                _say_start(settings, resumption)
                await _trade(this_run)
            return 0
    finally:
        store.close()


async def _resume(run: Run, stored: StoredState) -> Resumption | None:
    """None when it was told to stop while it still waited for the exchange; nothing new was sent then.

    Raises Unreachable.
    """
    start = resume(
        run.engine.orchestrator,
        run.exchange,
        stored,
        run.engine.symbols,
        first=run.helm.steering.obey_permissions,
        reconcile=run.reconciler.reconcile_if_answered,
    )
    resuming, stopping = asyncio.create_task(start), asyncio.create_task(run.stop.wait())
    try:
        await asyncio.wait((resuming, stopping), return_when=asyncio.FIRST_COMPLETED)
        return resuming.result() if resuming.done() else None
    except KeysRefused as error:
        raise Unreachable(
            f"{run.settings.exchange.id} refuses the keys ({error}); nothing new was sent;"
            " correct them, and let dirigent doctor examine them"
        ) from None
    except QueryFailed as error:
        raise Unreachable(
            f"{run.settings.exchange.id} did not answer at the start ({error}); nothing new was sent,"
            " another try may succeed"
        ) from None
    finally:
        await end_tasks((resuming, stopping))


async def _trade(run: Run) -> None:
    engine = run.engine
    try:
        await run.helm.swaps.go_on()
        await run.helm.steering.obey()  # a halt that was given meanwhile holds before the first price
        feeds = run.helm.feeds
        async with Companions(run):
            await trade(feeds, engine.orchestrator, feeds.of_the_loop, run.stop, run.reconciler.request)
    finally:
        await _wind_down(run)


async def _wind_down(run: Run) -> None:
    """Waits for the answers under way, saves, and says what stays as it is."""
    state = run.engine.state
    await run.engine.orchestrator.update_open_positions()
    settled = await state.settle(STOP_PATIENCE_S)
    await _ask_last_balance(run)
    state.save_progress(run.heartbeat.beat(everything=True))
    late = "" if settled else "; some answers are still out, the next start looks those orders up"
    working = state.working
    click.echo(
        f"stopped: {len(working.orders)} orders stay at the exchange, {len(working.positions)} positions stay as"
        f" they are{late}. The same command goes on from here.",
        err=True,
    )


async def _ask_last_balance(run: Run) -> None:
    """For people who ask after the stop; the stop does not wait long for it, nor fail over it."""
    try:
        async with asyncio.timeout(BALANCE_PATIENCE_S):
            run.engine.state.balances = await run.exchange.fetch_balance()
    except (TimeoutError, QueryFailed) as error:
        logger.bind(event="balance_not_told", error=repr(error)).warning("balance_not_told")


def _stop_on_signals(stop: asyncio.Event) -> None:
    """The first signal stops gracefully, a second one at once; nothing is lost either way."""

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        click.echo("stopping; once more to stop at once", err=True)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)


def _say_start(settings: Settings, resumption: Resumption) -> None:
    click.echo(
        f"dirigent: {settings.mode} trading of {len(settings.pairs)} pairs on {settings.exchange.id},"
        f" database {settings.database}",
        err=True,
    )
    if resumption.epoch > 1:
        click.echo(
            f"resumed in {resumption.rebuild_ms:.0f} ms: {resumption.positions} positions, {resumption.orders}"
            f" outstanding orders looked up, {resumption.unknown_orders} of them still unknown",
            err=True,
        )
