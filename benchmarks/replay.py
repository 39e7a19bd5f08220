"""How fast a replay runs with its deals and its journal, beside a bare loop that stores the same deals."""

import contextlib
import io
import json
import sqlite3
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.series import write_bars
from dirigent import replaying
from dirigent.configuration.sections import PairSection, StrategyChoice
from dirigent.configuration.settings import Settings

BARS = 60_000
RUNS = 3


def measure() -> list[str]:
    with TemporaryDirectory(prefix="dirigent-bench-") as folder:
        path = Path(folder) / "bars.csv"
        write_bars(path, BARS)
        engine = [_engine(path) for _ in range(RUNS)]
        each, grouped = [_bare(path, 1) for _ in range(RUNS)], [_bare(path, 128) for _ in range(RUNS)]
        idle = [_engine(path, "external") for _ in range(RUNS)]
    deals = engine[0][1]
    ours = min(seconds for seconds, _ in engine)
    lines = [_line("engine, sma_cross, journal in groups", ours, deals)]
    for name, runs in (
        ("bare loop, each request on disk before it leaves", each),
        ("bare loop, requests in groups", grouped),
    ):
        seconds = min(seconds for seconds, _ in runs)
        lines.append(
            f"{_line(name, seconds, runs[0][1])}; the engine takes {ours / seconds:.1f} times as long"
        )
    lines.append(_line("engine, no deals", min(seconds for seconds, _ in idle), idle[0][1]))
    return lines


def _line(name: str, seconds: float, deals: int) -> str:
    return f"{name}: {BARS / seconds:,.0f} bars/s, {seconds / BARS * 1e6:.1f} µs a bar, {deals} deals"


def _engine(path: Path, strategy: str = "sma_cross") -> tuple[float, int]:
    """Seconds of the play itself and its deals, as the replay's own report tells them."""
    choice = StrategyChoice(name=strategy, weight=1, params={})
    settings = Settings(pairs=(PairSection(symbol="BTC/USDT", strategy=(choice,)),))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        replaying.run(settings, [str(path)], as_json=True)
    report = json.loads(out.getvalue())
    return report["seconds"], report["deals"] + report["open_at_end"]


def _bare(path: Path, group: int) -> tuple[float, int]:
    """The least that keeps the same deals: averages, a row before each request, a row after each fill."""
    with TemporaryDirectory(prefix="dirigent-bench-") as folder:
        connection = sqlite3.connect(Path(folder) / "bare.sqlite", isolation_level=None)
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE events(seq INTEGER PRIMARY KEY, at INTEGER, what TEXT, price TEXT)")
        started_s = perf_counter()
        deals = _loop(path, _writer(connection, group))
        if connection.in_transaction:
            connection.execute("COMMIT")
        seconds = perf_counter() - started_s
        connection.close()
    return seconds, deals


def _writer(connection: sqlite3.Connection, group: int) -> Callable[[int, str, str], None]:
    count = 0

    def write(at_ms: int, what: str, price: str) -> None:
        nonlocal count
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO events(at, what, price) VALUES (?, ?, ?)", (at_ms, what, price))
        count += 1
        if count % group == 0:
            connection.execute("COMMIT")

    return write


def _loop(path: Path, write: Callable[[int, str, str], None]) -> int:
    fast: deque[float] = deque(maxlen=5)
    slow: deque[float] = deque(maxlen=20)
    was, wanted, held, deals, cash = 0.0, "", False, 0, Decimal(10_000)
    with path.open() as lines:
        next(lines)
        for line in lines:
            at, _, open_, _, _, close, _ = line.split(",")
            if wanted:
                write(int(at), f"{wanted} filled", open_)
                cash += Decimal(open_) if wanted == "sell" else -Decimal(open_)
                held, wanted = wanted == "buy", ""
            fast.append(float(close))
            slow.append(float(close))
            if len(slow) < 20:
                continue
            gap = sum(fast) / 5 - sum(slow) / 20
            if was < 0 < gap and not held:
                wanted, deals = "buy", deals + 1
                write(int(at), "buy intended", close)
            elif was > 0 > gap and held:
                wanted = "sell"
                write(int(at), "sell intended", close)
            was = gap or was
    return deals
