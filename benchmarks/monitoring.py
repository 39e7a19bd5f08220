"""What it costs a tick to be watched: two real daemons side by side, one with everything on, one with everything off.

They run in turns, a slice of time each, so that both see the same machine: whoever is not on stage is stopped, and with
the one that is watched everything that watches it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic_ns
from urllib.request import urlopen

from benchmarks.bench_engine import quantile

PAIRS, TICKS_PER_S = 100, 10
SLICES, SLICE_S = 24, 1.5
WARM_UP_S = 4.0
SETTLING_S = 0.25
"""At the beginning of a slice both catch up with what they missed; it is not measured."""
ROOT = Path(__file__).parents[1]
DIRIGENT = (sys.executable, "-m", "dirigent.command_line")

_RESTLESS = """strategy = "sma_cross"
params = { fast = 2, slow = 4 }
take_profit = "0.0006"
stop_loss = "0.0006"
max_hold_s = 1
"""


@dataclass(slots=True)
class Watchers:
    """What watches, with how often it did."""

    scrapes: int = 0
    failed_scrapes: int = 0
    messages: int = 0
    commands: int = 0
    on_stage: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


def measure() -> list[str]:
    with TemporaryDirectory(prefix="dirigent-bench-") as folder, ExitStack() as stack:
        watchers = Watchers()
        off, on = Path(folder) / "off", Path(folder) / "on"
        port = stack.enter_context(_channel(watchers))
        metrics_port = _free_port()
        _configure(off, "")
        _configure(on, _everything(metrics_port, port))
        both = [stack.enter_context(_daemon(directory)) for directory in (off, on)]
        view = stack.enter_context(_live_view(on))
        time.sleep(WARM_UP_S)
        for number, work in enumerate((_scrape, _command)):
            thread = threading.Thread(target=work, args=(watchers, on, metrics_port), name=f"watch {number}")
            thread.start()
            stack.callback(thread.join)
        stack.callback(watchers.over.set)
        slices = _take_turns(both, view, watchers)
        watchers.over.set()
        watchers.on_stage.set()
        for process in both:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        return [*_report(slices, off, on), _told(watchers)]


def _everything(metrics_port: int, channel_port: int) -> str:
    return f"""
[metrics]
port = {metrics_port}
[alerts]
urls = ["json://127.0.0.1:{channel_port}/channel"]
group_s = 1
messages_per_hour = 3600
"""


def _configure(directory: Path, sections: str) -> None:
    directory.mkdir()
    pairs = [f'[[pairs]]\nsymbol = "C{number}/USDT"\nstrategy = "external"\n' for number in range(1, PAIRS)]
    text = f"""database = "{directory / "engine.sqlite"}"
[paper]
ticks_per_s = {TICKS_PER_S}
[logging]
level = "ERROR"
[[pairs]]
symbol = "BTC/USDT"
{_RESTLESS}
{"".join(pairs)}
{sections}"""
    (directory / "dirigent.toml").write_text(text)


@contextmanager
def _started(words: list[str], directory: Path, output: int) -> Iterator[subprocess.Popen[bytes]]:
    """Ended by its own id at the latest with the block."""
    surroundings = {"PYTHONPATH": str(ROOT), "PATH": os.defpath}
    process = subprocess.Popen(
        words, cwd=directory, env=surroundings, stdout=output, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


@contextmanager
def _daemon(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    limit_s = str(10 * (WARM_UP_S + SLICES * SLICE_S))
    words = [sys.executable, "-m", "benchmarks.monitored_engine"]
    words += [str(directory / "dirigent.toml"), str(directory / "result"), limit_s]
    with _started(words, directory, subprocess.DEVNULL) as process:
        yield process


@contextmanager
def _live_view(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    database = directory / "engine.sqlite"
    ends_s = time.monotonic() + 30
    while not database.exists() and time.monotonic() < ends_s:
        time.sleep(0.05)
    time.sleep(1)
    words = [*DIRIGENT, "--db", str(database), "status", "--watch"]
    with _started(words, directory, subprocess.DEVNULL) as process:
        yield process


def _take_turns(
    both: list[subprocess.Popen[bytes]], view: subprocess.Popen[bytes], watchers: Watchers
) -> list[list[tuple[int, int]]]:
    """The slices of each daemon, from and to in ns of the monotonic clock."""
    slices: list[list[tuple[int, int]]] = [[], []]
    for process in both:
        process.send_signal(signal.SIGSTOP)
    for number in range(SLICES):
        at = (number + number // 2) % 2
        others = [view] if at else []
        for process in (both[at], *others):
            process.send_signal(signal.SIGCONT)
        if at:
            watchers.on_stage.set()
        time.sleep(SETTLING_S)
        started_ns = monotonic_ns()
        time.sleep(SLICE_S)
        slices[at].append((started_ns, monotonic_ns()))
        watchers.on_stage.clear()
        for process in (both[at], *others):
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} has ended early: these figures would mean nothing")
            process.send_signal(signal.SIGSTOP)
    for process in (*both, view):
        process.send_signal(signal.SIGCONT)
    return slices


def _scrape(watchers: Watchers, _: Path, port: int) -> None:
    while not watchers.over.is_set():
        watchers.on_stage.wait()
        if watchers.over.is_set():
            return
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                watchers.scrapes += b"dirigent_ticks_total" in answer.read()
        except OSError:
            watchers.failed_scrapes += 1
        watchers.over.wait(1)


def _command(watchers: Watchers, directory: Path, _: int) -> None:
    """A halt and its end in turn, by the command that a person would type."""
    while not watchers.over.is_set():
        watchers.on_stage.wait()
        if watchers.over.is_set():
            return
        name = ("halt", "resume")[watchers.commands % 2]
        words = [*DIRIGENT, "--db", str(directory / "engine.sqlite"), name, "C1/USDT", "--no-wait"]
        surroundings = {"PYTHONPATH": str(ROOT), "PATH": os.defpath}
        ended = subprocess.run(words, cwd=directory, env=surroundings, capture_output=True, check=False)
        if ended.returncode != 0:
            raise RuntimeError(f"{name} failed: {ended.stderr.decode()}")
        watchers.commands += 1
        watchers.over.wait(1)


@contextmanager
def _channel(watchers: Watchers) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            watchers.messages += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _free_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return server.server_address[1]


def _durations_us(file: Path, slices: list[tuple[int, int]]) -> list[list[float]]:
    """By slice, of everything that ended in it."""
    values = array("q")
    values.frombytes(file.read_bytes())
    pairs = list(zip(values[::2], values[1::2], strict=True))
    return [[took / 1000 for took, at in pairs if start <= at < end] for start, end in slices]


def _report(slices: list[list[tuple[int, int]]], off: Path, on: Path) -> list[str]:
    lines = []
    for name, file in (("tick", "result.ticks"), ("lateness of a timer", "result.timer")):
        without, watched = (
            _durations_us(directory / file, of) for directory, of in zip((off, on), slices, strict=True)
        )
        for fraction in (0.5, 0.99):
            # The middle of the slices: one disturbed by the machine does not decide.
            base, more = (
                median(quantile(one, fraction) for one in each if one) for each in (without, watched)
            )
            allowed = " (10 % allowed)" if (name, fraction) == ("tick", 0.99) else ""
            lines.append(
                f"{name} p{fraction * 100:g}: off {base:.1f} µs, everything on {more:.1f} µs,"
                f" {more / base - 1:+.1%}{allowed}"
            )
        lines[-1] += f"; {sum(map(len, without))} and {sum(map(len, watched))} measured"
    return lines


def _told(watchers: Watchers) -> str:
    if not (watchers.scrapes and watchers.messages and watchers.commands):
        raise RuntimeError(f"not everything was on: {watchers}")
    return (
        f"meanwhile: {watchers.scrapes} scrapes ({watchers.failed_scrapes} failed), {watchers.messages} messages,"
        f" {watchers.commands} commands, a live view; {PAIRS} pairs, {PAIRS * TICKS_PER_S} ticks a second"
    )
