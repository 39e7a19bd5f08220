"""Holds a user's strategy to its contract, in processes of their own: where it may hang, and where hashes differ."""

import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from dirigent import strategies_from_files
from services.messages import Tick
from services.strategies.base import Strategy, StrategyError
from services.strategies.contract import Finding, Subject, examine, votes_of
from services.strategies.series import odd_series

TIME_OUT_S = 120
SAMPLES_MAX = 20_000
"""Of recorded prices, the latest."""
HASH_SEEDS = ("1", "2")

_NEVER = "clock, files and network are out of a strategy's reach"
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "process_time", "sleep")
_ARMED_EVENTS = ("open", "socket.", "subprocess.", "os.", "shutil.", "sqlite3.", "import", "urllib.")


class OutOfReach(Exception):
    """A strategy asked for what it may not have."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of each clause, and a digest of all votes."""

    findings: tuple[Finding, ...]
    digest: str
    votes: int

    @property
    def is_kept(self) -> bool:
        return not any(finding.fault for finding in self.findings)


def examined(
    name: str,
    params: Mapping[str, object],
    recordings: Sequence[str],
    budget_ms: float,
    timeout_s: float = TIME_OUT_S,
) -> Report:
    """Runs the contract in one process, and the votes once more in another whose hashes differ.

    Raises StrategyError when the strategy cannot be made at all; RecordingError for a bad recording.
    """
    strategies_from_files.create(name, params)
    ticks_of(recordings)
    children = [
        _child(seed, name, params, recordings, budget_ms, whole=seed == HASH_SEEDS[0]) for seed in HASH_SEEDS
    ]
    answers = [_answer(child, timeout_s) for child in children]
    first, second = answers
    clause = "is the same in another process"
    if isinstance(first, str) or isinstance(second, str):
        fault = first if isinstance(first, str) else str(second)
        return Report((Finding("comes to an end", fault),), "", 0)
    findings = [Finding(**finding) for finding in first["findings"]]
    differs = first["digest"] != second["digest"]
    fault = "it votes differently where text hashes differ; iterate over lists, not sets" if differs else ""
    return Report((*findings, Finding(clause, fault)), first["digest"], first["votes"])


def _child(
    seed: str,
    name: str,
    params: Mapping[str, object],
    recordings: Sequence[str],
    budget_ms: float,
    *,
    whole: bool,
) -> "subprocess.Popen[str]":
    asked = {
        "name": name,
        "params": {key: str(value) if isinstance(value, Decimal) else value for key, value in params.items()},
        "recordings": list(recordings),
        "budget_ms": budget_ms,
        "whole": whole,
    }
    root = str(Path(__file__).resolve().parents[1])
    child = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{_MAIN}", json.dumps(asked)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return child


_MAIN = "from dirigent.strategy_contract import main; main(sys.argv[1])"


def _answer(child: "subprocess.Popen[str]", timeout_s: float) -> dict[str, Any] | str:
    """The child's report, or what became of it."""
    try:
        output, errors = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return f"it did not come back within {timeout_s:g} s"
    if child.returncode:
        last = errors.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        return f"it ended the process: {last[0]}"
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return report


def main(asked: str) -> None:
    """The child: prints one line of JSON."""
    given = json.loads(asked)
    reach = _Reach()
    sys.addaudithook(reach.hear)

    def make() -> Strategy:
        return strategies_from_files.create(given["name"], given["params"])

    make()
    subject = Subject(make, ticks_of(given["recordings"]), given["budget_ms"], reach.barred)
    findings = list(examine(subject)) if given["whole"] else []
    digest, votes = "", 0
    if not any(finding.fault for finding in findings):
        found = votes_of(subject)
        digest, votes = sha256(repr(found).encode()).hexdigest(), len(found)
    print(json.dumps({"findings": [asdict(one) for one in findings], "digest": digest, "votes": votes}))


class _Reach:
    """Bars clock, files, network and processes while the strategy runs; an audit hook cannot be taken away again."""

    def __init__(self) -> None:
        self._is_barred = False
        self._thread = threading.get_ident()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._is_barred and event.startswith(_ARMED_EVENTS):
            self._is_barred = False  # what tells of the fault may need files itself
            raise OutOfReach(f"it reaches for {event} {arguments[:1]}: {_NEVER}")

    @contextmanager
    def barred(self) -> Iterator[None]:
        def refuse(*_: object, **__: object) -> None:
            raise OutOfReach(f"it asks the clock: {_NEVER}")

        kept = {name: getattr(time, name) for name in _CLOCKS}
        places: list[tuple[Any, str]] = [(io, "open"), (socket, "socket")]
        others = [(place, name, getattr(place, name)) for place, name in places]
        try:
            for name in _CLOCKS:
                setattr(time, name, refuse)
            for place, name, _ in others:
                setattr(place, name, refuse)
            self._is_barred = True
            yield
        finally:
            self._is_barred = False
            for name, function in kept.items():
                setattr(time, name, function)
            for place, name, function in others:
                setattr(place, name, function)


def ticks_of(recordings: Sequence[str]) -> list[Tick]:
    """Of the first market in the files, the latest prices; without files a made-up market of every kind."""
    if not recordings:
        return odd_series()
    from collections import deque

    latest: deque[Tick] = deque(maxlen=SAMPLES_MAX)
    wanted = ""
    for at_ms, symbol, price in _prices(recordings):
        wanted = wanted or symbol
        if symbol == wanted:
            latest.append(Tick(symbol, at_ms, Decimal(price)))
    if not latest:
        raise StrategyError(f"{recordings[0]}: it holds no prices; name a file of bars or trades")
    return list(latest)


def _prices(recordings: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    from services.exchanges.recordings import BARS, RecordedFile, read_bars, read_trades

    first = RecordedFile(recordings[0])
    kind = first.kind
    first.close()
    if kind == BARS:
        for at_ms, symbol, *_, close, _volume in read_bars(recordings):
            yield at_ms, symbol, close
    else:
        for at_ms, symbol, _, _, price, _ in read_trades(recordings):
            yield at_ms, symbol, price
