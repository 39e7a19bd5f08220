"""The daemon: opens store and exchange, resumes, trades until told to stop, and leaves everything as it stands."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import click
from loguru import logger

from dirigent.heartbeat import Heartbeat
from dirigent.settings import Settings, pair_rules, paper_settings, risk_limits, strategy_choices
from dirigent.settings_sections import StrategyChoice
from dirigent.wiring import Engine, Parts, build
from fsm.commit import StoredState
from persistence.store import SqliteStore
from run_realtime_trading import trade
from services.clocks import SystemClock
from services.exchanges.paper import PaperExchange
from services.messages import PairRules, QueryFailed
from services.reconciler import Reconciler
from services.resumption import Resumption, refresh_balance, resume

BEAT_S = 1.0
STATUS_LINE_S = 5.0
BALANCE_S = 10.0
STOP_PATIENCE_S = 4.0
"""How long a stop waits for answers under way; with what follows it stays below five seconds."""
BALANCE_PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class _Limits:
    """After how long a run ends by itself, None for never; and how often the books are compared."""

    duration_s: float | None
    ticks: int | None
    reconcile_every_s: float


class Refused(Exception):
    """The daemon does not start; the message says why and what to do."""


def run(
    settings: Settings, *, duration_s: float | None = None, ticks: int | None = None, live: bool = False
) -> int:
    """Trades until a signal, `duration_s` or `ticks` ends it. Exit code 0; 1 when the engine had to give up.

    Raises Refused or StoreError when it must not start.
    """
    _refuse_live(settings, live)
    return asyncio.run(_run(settings, duration_s, ticks))


def _refuse_live(settings: Settings, live: bool) -> None:
    if live and settings.mode != "live":
        raise Refused('--live was given and the configuration says mode = "paper"; change one of them')
    if settings.mode == "live" and not live:
        raise Refused('the configuration says mode = "live"; give --live too if real money is meant')
    if settings.mode == "live" or settings.exchange.id != "paper":
        raise Refused(
            f"there is no connector to {settings.exchange.id!r} yet: only the paper exchange trades;"
            ' set mode = "paper" and exchange.id = "paper"'
        )


def paper_file(database: str | Path) -> Path:
    """Where the paper exchange keeps its own books: beside the engine's database, never in it."""
    path = Path(database)
    return path.with_name(f"{path.stem}.paper-exchange{path.suffix}")


async def _run(settings: Settings, duration_s: float | None, ticks: int | None) -> int:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    clock = SystemClock()
    store = SqliteStore.open(settings.database, mode=settings.mode, exchange=settings.exchange.id)
    try:
        stored = store.load()
        rules = all_rules(settings, stored)
        exchange = PaperExchange(
            paper_file(settings.database), symbols=list(rules), settings=paper_settings(settings), clock=clock
        )
        await exchange.open()
        try:
            strategies = {**dict.fromkeys(rules, (silent(),)), **strategy_choices(settings)}
            engine = build(Parts(store, exchange, clock, rules, strategies, risk_limits(settings)))
            reconciler = Reconciler(
                engine.orchestrator, exchange, store, unknown_escalates_s=float(settings.unknown_escalates_s)
            )
            heartbeat = Heartbeat(
                engine, clock, settings.mode, settings.exchange.id, clock.now_ms(), reconciler=reconciler
            )
            resumption = await _resume(engine, exchange, stored, stop, reconciler)
            if resumption is None:
                await _wind_down(engine, exchange, heartbeat)
                return 0
            _say_start(settings, resumption)
            every_s = float(settings.reconcile_every_s)
            await _trade(engine, exchange, heartbeat, _Limits(duration_s, ticks, every_s), stop)
            return 0
        finally:
            await exchange.close()
    finally:
        store.close()


def silent() -> StrategyChoice:
    """The strategy of a pair that only leaves."""
    return StrategyChoice(name="external", weight=1, params={})


def all_rules(settings: Settings, stored: StoredState) -> dict[str, PairRules]:
    """The configured pairs, and those that are no longer configured and still hold something: they only leave."""
    rules = pair_rules(settings)
    for record in (*stored.positions, *stored.orders):
        symbol = str(getattr(record, "symbol", ""))
        if symbol not in rules:
            rules[symbol] = PairRules(symbol, max_deals=0)
            logger.bind(event="pair_only_leaves", symbol=symbol).warning("pair_only_leaves")
    return rules


async def _resume(
    engine: Engine,
    exchange: PaperExchange,
    stored: StoredState,
    stop: asyncio.Event,
    reconciler: Reconciler,
) -> Resumption | None:
    """None when it was told to stop while it still waited for the exchange; nothing new was sent then."""
    resuming = asyncio.create_task(
        resume(
            engine.orchestrator, exchange, stored, engine.symbols, reconcile=reconciler.reconcile_if_answered
        )
    )
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((resuming, stopping), return_when=asyncio.FIRST_COMPLETED)
        return resuming.result() if resuming.done() else None
    finally:
        resuming.cancel()
        stopping.cancel()
        await asyncio.gather(resuming, stopping, return_exceptions=True)


async def _trade(
    engine: Engine, exchange: PaperExchange, heartbeat: Heartbeat, limits: _Limits, stop: asyncio.Event
) -> None:
    reconciler = heartbeat.reconciler
    beside = [
        asyncio.create_task(_beat(engine, heartbeat)),
        asyncio.create_task(_ask_balance(engine, exchange)),
        asyncio.create_task(_limit(engine, stop, limits)),
        asyncio.create_task(reconciler.run(limits.reconcile_every_s)),
        asyncio.create_task(reconciler.run_escalation()),
    ]
    if sys.stderr.isatty():
        beside.append(asyncio.create_task(_show(heartbeat)))
    for task in beside:
        task.add_done_callback(lambda _: stop.set())
    try:
        await trade(exchange, engine.orchestrator, engine.symbols, stop, reconciler.request)
    finally:
        for task in beside:
            task.cancel()
        ends = await asyncio.gather(*beside, return_exceptions=True)
        await _wind_down(engine, exchange, heartbeat)
    for fault in ends:
        if isinstance(fault, Exception):
            raise fault


async def _wind_down(engine: Engine, exchange: PaperExchange, heartbeat: Heartbeat) -> None:
    """Waits for the answers under way, saves, and says what stays as it is."""
    await engine.orchestrator.update_open_positions()
    settled = await engine.state.settle(STOP_PATIENCE_S)
    await _ask_last_balance(engine, exchange)
    engine.state.save_progress(heartbeat.beat(everything=True))
    working = engine.state.working
    late = "" if settled else "; some answers are still out, the next start looks those orders up"
    click.echo(
        f"stopped: {len(working.orders)} orders stay at the exchange, {len(working.positions)} positions stay as"
        f" they are{late}. The same command goes on from here.",
        err=True,
    )


async def _ask_last_balance(engine: Engine, exchange: PaperExchange) -> None:
    """For people who ask after the stop; the stop does not wait long for it, nor fail over it."""
    try:
        engine.state.balances = await asyncio.wait_for(exchange.fetch_balance(), BALANCE_PATIENCE_S)
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


async def _beat(engine: Engine, heartbeat: Heartbeat) -> None:
    while True:
        engine.state.save_progress(heartbeat.beat())
        await asyncio.sleep(BEAT_S)


async def _ask_balance(engine: Engine, exchange: PaperExchange) -> None:
    """The exchange's word replaces the engine's sum, whenever no order is in flight that would tell them apart."""
    while True:
        await asyncio.sleep(BALANCE_S)
        try:
            if engine.state.working.orders:
                engine.state.balances = await exchange.fetch_balance()
            else:
                await refresh_balance(engine.orchestrator, exchange)
        except QueryFailed as error:
            logger.bind(event="balance_not_told", error=repr(error)).warning("balance_not_told")


async def _limit(engine: Engine, stop: asyncio.Event, limits: _Limits) -> None:
    """Sets `stop` when the run was long enough; waits for ever when it has no limit."""
    loop = asyncio.get_running_loop()
    ends_at_s = None if limits.duration_s is None else loop.time() + limits.duration_s

    def reached() -> bool:
        late = ends_at_s is not None and loop.time() >= ends_at_s
        return late or (limits.ticks is not None and engine.state.metrics.ticks >= limits.ticks)

    while not stop.is_set():
        if reached():
            stop.set()
        await asyncio.sleep(0.05)


async def _show(heartbeat: Heartbeat) -> None:
    while True:
        await asyncio.sleep(STATUS_LINE_S)
        click.echo(heartbeat.line(), err=True)
