"""The live view of `status --watch`: the engine once a second, from the store alone, until Ctrl-C."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from dirigent.output import print_json_line, rfc3339, text
from fsm.commit import StoreError
from persistence.glance import Glance, PairGlance, glance

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

EVERY_S = 1.0
STALE_S = 30.0
BEAT_IS_LATE_S = 5.0
ALARMS_MAX = 4
_HEAD, _AROUND_A_TABLE = 3, 4
"""Lines that are there in any case."""
_BUSY = ("ordering", "signalled", "closing", "open")


def watch(path: Path, *, as_json: bool, every_s: float = EVERY_S) -> None:
    """On a terminal a view that is renewed in place; elsewhere a line each time, with `as_json` an object each.

    Ends with Ctrl-C or SIGTERM. Raises StoreError when the database cannot be read at the beginning; later it
    waits until it can again.
    """
    first = glance(path)
    with _ended_by_signal():
        if as_json or not sys.stdout.isatty():
            for seen, fault in _moments(path, first, every_s):
                _print(seen, fault, as_json=as_json)
        else:
            _show(path, first, every_s)


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Both signals end it in the same way, so that the terminal is left as it was found."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def _moments(path: Path, seen: Glance, every_s: float) -> Iterator[tuple[Glance, str]]:
    """The last moment that could be read, and why none could since; empty when it could."""
    yield seen, ""
    while True:
        time.sleep(every_s)
        try:
            seen, fault = glance(path), ""
        except StoreError as error:
            fault = str(error)
        yield seen, fault


def _print(seen: Glance, fault: str, *, as_json: bool) -> None:
    if fault:
        click.echo(fault, err=True)
    elif as_json:
        print_json_line(document(seen))
    else:
        click.echo(f"{rfc3339(seen.at_ms)}  {line(seen)}")
    sys.stdout.flush()


def _show(path: Path, first: Glance, every_s: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for seen, fault in _moments(path, first, every_s):
            live.update(screen(seen, console.height, fault), refresh=True)


def condition(seen: Glance) -> str:
    """Whether it runs, and whether it answers."""
    if seen.pid is None:
        return "not running"
    age_s = (seen.at_ms - int(seen.heartbeat.get("at_ms") or 0)) / 1000
    if "at_ms" in seen.heartbeat and age_s > BEAT_IS_LATE_S:
        return f"running as {seen.pid}, and silent for {age_s:.0f} s"
    return f"running as {seen.pid}"


def _rate(seen: Glance) -> Any:
    """Of now: what a process said before it ended or fell silent is none."""
    return seen.heartbeat.get("ticks_per_s") if condition(seen) == f"running as {seen.pid}" else None


def feeds(seen: Glance) -> dict[str, int]:
    """How many markets have a price that is fresh, stale, or none yet."""
    counts = {"fresh": 0, "stale": 0, "waiting": 0}
    for pair in seen.pairs:
        age_s = _age_s(seen, pair)
        counts["waiting" if age_s is None else "stale" if age_s > STALE_S else "fresh"] += 1
    return counts


def _age_s(seen: Glance, pair: PairGlance) -> float | None:
    if pair.last_tick_at_ms is None:
        return None
    return max(seen.at_ms - pair.last_tick_at_ms, 0) / 1000


def document(seen: Glance) -> dict[str, Any]:
    beat = seen.heartbeat
    return {
        "at": seen.at_ms,
        "condition": condition(seen),
        "running": seen.pid is not None,
        "ticks": beat.get("ticks"),
        "ticks_per_s": _rate(seen),
        **{name: beat.get(name) for name in ("tick_ms_p50", "tick_ms_p99", "equity")},
        "living": seen.living,
        "feeds": feeds(seen),
        "stopped": seen.stopped,
        "store_fault": beat.get("store_fault"),
        "refusals": [
            {"symbol": one.symbol, "guard": one.guard, "because": one.because, "last_at": one.last_at_ms}
            | {"count": one.count}
            for one in seen.refusals
        ],
    }


def line(seen: Glance) -> str:
    """The same in one line."""
    beat = seen.heartbeat
    told = [condition(seen)]
    told += [f"{machine}s: {_counts(counts)}" for machine, counts in seen.living.items()]
    told.append(f"feeds: {_counts(feeds(seen))}")
    told.append(f"equity {_money(beat.get('equity'))}")
    told.append(f"{text(_rate(seen))} ticks/s, p99 {text(beat.get('tick_ms_p99'))} ms")
    told += [f"{scope} {why}" for scope, why in seen.stopped.items()]
    if beat.get("store_fault"):
        told.append(f"STORE FAULT: {beat['store_fault']}")
    return " · ".join(told)


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{count} {state}" for state, count in sorted(counts.items()) if count) or "none"


def _money(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, Decimal) else "-"


def screen(seen: Glance, height: int, fault: str = "") -> "RenderableType":
    """Everything, cut to the height: what is stopped or busy comes before what is idle."""
    from rich.console import Group
    from rich.text import Text

    beat = seen.heartbeat
    alarms = [fault, beat.get("store_fault"), *(f"{scope} {why}" for scope, why in seen.stopped.items())]
    told = [str(alarm) for alarm in alarms if alarm][:ALARMS_MAX]
    parts: list[RenderableType] = [_head(seen)]
    parts += [Text(alarm, style="bold red", overflow="ellipsis", no_wrap=True) for alarm in told]
    below = [_refusals(seen)] if seen.refusals else []
    taken = _HEAD + len(told) + _AROUND_A_TABLE + (len(seen.refusals) + _AROUND_A_TABLE if below else 0)
    return Group(*parts, _pairs(seen, max(height - taken, 2)), *below)


def _head(seen: Glance) -> "RenderableType":
    from rich.text import Text

    beat = seen.heartbeat
    title = f"dirigent · {text(beat.get('mode'))} on {text(beat.get('exchange'))} · {condition(seen)}"
    lines = [
        f"equity {_money(beat.get('equity'))} · {text(_rate(seen))} ticks/s ·"
        f" tick p50 {text(beat.get('tick_ms_p50'))} ms, p99 {text(beat.get('tick_ms_p99'))} ms",
        " · ".join(f"{machine}s: {_counts(counts)}" for machine, counts in seen.living.items())
        + f" · feeds: {_counts(feeds(seen))}",
    ]
    head = Text(title, style="bold", overflow="ellipsis", no_wrap=True)
    return head.append("\n" + "\n".join(lines), style="not bold")


def _pairs(seen: Glance, rows: int) -> "Table":
    table = _table("pair", "state", "last price", "age s", "why")
    ordered = sorted(seen.pairs, key=lambda pair: _rank(seen, pair))
    shown = rows if len(ordered) <= rows else rows - 1
    for pair in ordered[:shown]:
        age_s = _age_s(seen, pair)
        style = "red" if pair.symbol in seen.stopped else "yellow" if age_s and age_s > STALE_S else ""
        why = seen.stopped.get(pair.symbol) or pair.note
        age = "-" if age_s is None else f"{age_s:.1f}"
        _add(table, pair.symbol, pair.state, text(pair.last_price, digits=10), age, why, style=style)
    if len(ordered) > shown:
        _add(table, f"and {len(ordered) - shown} more")
    return table


def _rank(seen: Glance, pair: PairGlance) -> tuple[bool, int, bool, str]:
    busy = _BUSY.index(pair.state) if pair.state in _BUSY else len(_BUSY)
    age_s = _age_s(seen, pair)
    return pair.symbol not in seen.stopped, busy, age_s is not None and age_s <= STALE_S, pair.symbol


def _refusals(seen: Glance) -> "Table":
    table = _table("last refusals", "guard", "times", "at", "because")
    for one in seen.refusals:
        _add(table, one.symbol, one.guard, str(one.count), rfc3339(one.last_at_ms)[11:19], one.because)
    return table


def _table(*columns: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), expand=True)
    for number, name in enumerate(columns):
        is_last = number == len(columns) - 1
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1 if is_last else None)
    return table


def _add(table: "Table", *cells: str, style: str = "") -> None:
    """Cells are texts, not markup: a reason may hold brackets."""
    from rich.text import Text

    table.add_row(*(Text(cell, style=style) for cell in cells))
