"""Whether a running engine is well, for supervisors that judge by an exit code."""

import time
from pathlib import Path

import click

from dirigent.commands.common import Failed
from dirigent.output import print_json
from persistence import queries

SILENCE_S_MAX = 15.0
"""The engine writes its heartbeat every second: as long as this it does not stay away by chance."""


def ailments(database: Path, now_ms: int | None = None) -> list[str]:
    """What is wrong, in words. Trading that a person or a limit stopped is no ailment, nor is a silent exchange:
    to start the engine anew would not mend it. Raises StoreError where there is no database to read."""
    now_ms = int(time.time() * 1000) if now_ms is None else now_ms
    known = queries.status(database, now_ms)
    if not known["running"]:
        return ["it does not run"]
    found = []
    silent_s = (now_ms - int(known.get("at_ms") or 0)) / 1000
    if silent_s > SILENCE_S_MAX:
        found.append("no heartbeat yet" if not known.get("at_ms") else f"no heartbeat for {silent_s:.0f} s")
    if known.get("store_fault"):
        found.append(f"the store takes no commits: {known['store_fault']}")
    return found


def tell_health(database: Path, *, as_json: bool) -> None:
    """Raises Failed with what is wrong."""
    found = ailments(database)
    if as_json:
        print_json({"healthy": not found, "ailments": found})
    elif not found:
        click.echo("healthy")
    if found:
        raise Failed("; ".join(found))
