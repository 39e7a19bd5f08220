"""Replay: recorded prices through the same engine, in recorded time, with a report at the end."""

import asyncio
import gc
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter

import click

from dirigent.configuration.sections import PairSection, PaperSection
from dirigent.configuration.settings import Settings, pair_rules, risk_limits, strategy_choices
from dirigent.replay_report import Curve, Played, print_report, report_of
from dirigent.wiring import Engine, Parts, build
from fsm.commit import StoreError
from fsm.values import quote_of
from persistence.store import SqliteStore
from services.exchanges.recording_scan import Recording, scan
from services.exchanges.replay import Interest, ReplayExchange
from services.messages import OrderNews
from services.order_execution import OrderTimings
from services.resumption import resume
from services.turns.working_set import WorkingSet

DEFAULT_BALANCE = Decimal(10_000)
"""Of the quote currency, when nothing is configured."""
PROGRESS_EVERY_ROWS = 2_000
NEVER_MS = 10**15

PATIENT = OrderTimings(NEVER_MS, NEVER_MS, NEVER_MS, 1_000, 60_000)
"""A replay loses no answer and no report: an order is never looked up for being silent."""


@dataclass(frozen=True, slots=True)
class Play:
    """What is played: the files, and the pairs of them that are traded."""

    recordings: list[Recording]
    pairs: tuple[PairSection, ...]
    settings: Settings


def run(
    settings: Settings | None, files: Sequence[str], *, database: str | None = None, as_json: bool = False
) -> int:
    """Plays the files and prints the report; exit code 0.

    Raises RecordingError for a bad row, StoreError when `database` exists, click.UsageError when nothing of the
    files is to be traded.
    """
    play = _choose([scan(path) for path in files], settings)
    with (
        _place(database, settings) as path,
        SqliteStore.open(
            path, exchange="replay", durability="grouped", tag=None if database else "dplay"
        ) as store,
    ):
        exchange = _exchange(play)
        symbols = [pair.symbol for pair in play.pairs]
        rules, choices = pair_rules(play.settings), strategy_choices(play.settings)
        engine = build(
            Parts(
                store,
                exchange,
                exchange,
                {symbol: rules[symbol] for symbol in symbols},
                {symbol: choices[symbol] for symbol in symbols},
                risk_limits(play.settings),
                PATIENT,
                at_once=True,
            )
        )
        with _progress(exchange.rows_total, hidden=as_json) as show, _fewer_collections():
            played = asyncio.run(_play(engine, exchange, store, show))
        store.flush()
        report = report_of(path, engine, play.recordings, played)
    print_report(report, as_json=as_json)
    return 0


def _choose(recordings: list[Recording], settings: Settings | None) -> Play:
    recorded = list(dict.fromkeys(symbol for recording in recordings for symbol in recording.symbols))
    if settings is None:
        quotes = {quote_of(symbol) for symbol in recorded}
        if len(quotes) > 1:
            raise click.UsageError(
                f"the files hold pairs of several quote currencies ({', '.join(sorted(quotes))});"
                " name the pairs of one of them in a configuration"
            )
        settings = Settings(
            pairs=tuple(PairSection(symbol=symbol) for symbol in recorded),
            paper=PaperSection(balances=dict.fromkeys(quotes, DEFAULT_BALANCE)),
        )
        quota = settings.pairs[0].deal_quota
        click.echo(
            f"no configuration: each pair is traded by defaults, {quota} {min(quotes)} a deal"
            f" on {DEFAULT_BALANCE} {min(quotes)}",
            err=True,
        )
    pairs = tuple(pair for pair in settings.pairs if pair.symbol in recorded)
    if not pairs:
        configured = ", ".join(pair.symbol for pair in settings.pairs)
        raise click.UsageError(
            f"none of the configured pairs ({configured}) is in the files; they hold {', '.join(recorded)}"
        )
    for pair in settings.pairs:
        if pair not in pairs:
            click.echo(f"{pair.symbol} is configured and not in the files: it is left out", err=True)
    return Play(recordings, pairs, settings)


def _exchange(play: Play) -> ReplayExchange:
    paper = play.settings.paper
    return ReplayExchange(
        play.recordings,
        balances=paper.balances,
        fee=paper.fee,
        fee_in=paper.fee_in,
        spread=paper.spread,
        slippage=paper.slippage,
        seed=paper.seed,
    )


@contextmanager
def _place(database: str | None, settings: Settings | None) -> Iterator[Path]:
    """A new file, or one that goes with the replay; never the database that trades."""
    if database is None:
        with tempfile.TemporaryDirectory(prefix="dirigent-replay-") as folder:
            yield Path(folder) / "replay.sqlite"
        return
    path = Path(database)
    if settings is not None and path.resolve() == Path(settings.database).resolve():
        raise StoreError(
            f"{path} is the trading database; a replay writes to a file of its own: name another"
        )
    if path.exists():
        raise StoreError(f"{path} exists; a replay writes to a new file: name another or remove it")
    yield path


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """A replay makes many short-lived objects and no circles: looking for those every 700 objects is wasted."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def _progress(total: int, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    if hidden or not sys.stderr.isatty():
        yield lambda rows: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replay", total=total)
        yield lambda rows: progress.update(task, completed=rows)


def _interest(working: WorkingSet, symbol: str) -> Interest | None:
    """Inside a bar the engine waits for its exit levels, and follows every price under a trailing stop."""
    watches = working.watches.get(symbol)
    if not watches:
        return None
    levels, follows = [], False
    for watch in watches.values():
        follows = follows or watch.trail is not None
        levels += [level for level in (watch.below, watch.above) if level.is_finite()]
    return Interest(levels, follows) if levels or follows else None


async def _play(
    engine: Engine, exchange: ReplayExchange, store: SqliteStore, show: Callable[[int], None]
) -> Played:
    """Pumps every price through the engine. Whatever one price causes is over before the next one comes."""
    orchestrator, state, symbols = engine.orchestrator, engine.state, engine.symbols
    await resume(orchestrator, exchange, store.load(), symbols)
    process, settle, working = orchestrator.process_market_tick, state.settle, state.working
    metrics = state.metrics
    under_way, traded = state.under_way, frozenset(symbols)
    curve = Curve(engine.risk)
    exchange.interest = partial(_interest, working)
    show_at, started_s = PROGRESS_EVERY_ROWS, perf_counter()
    curve.mark()
    for ticker in exchange.tickers():
        if exchange.reports or exchange.at_ms >= working.next_due_ms:
            for report in exchange.take_reports():
                state.deliver(OrderNews(report.client_order_id, report.symbol, report))
            await orchestrator.update_open_positions()
        if ticker["symbol"] in traded:
            await process(ticker)
        if under_way:
            await settle()
        row = exchange.rows_read
        if metrics.transitions != curve.transitions or row >= curve.next_row:
            curve.follow(metrics.transitions, row)
            if row >= show_at:
                show_at = row + PROGRESS_EVERY_ROWS
                show(row)
    store.flush()
    curve.mark()
    return Played(exchange.rows_read, perf_counter() - started_s, curve)
