"""Runs the named measurements, or all of them, and prints their figures."""

import sys
from collections.abc import Callable

from loguru import logger

from benchmarks import (
    feeds,
    halting,
    memory,
    monitoring,
    rehearsed,
    replay,
    resumption,
    swapping,
    ticks,
    transitions,
)

MEASUREMENTS: dict[str, Callable[[], list[str]]] = {
    "ticks": ticks.measure,
    "transitions": transitions.measure,
    "replay": replay.measure,
    "resumption": resumption.measure,
    "memory": memory.measure,
    "monitoring": monitoring.measure,
    "feeds": feeds.measure,
    "rehearsed": rehearsed.measure,
    "halting": halting.measure,
    "swapping": swapping.measure,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        print(
            f"no measurement is called {unknown[0]!r}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr
        )
        return 2
    logger.remove()
    for name in names or MEASUREMENTS:
        print(name)
        for line in MEASUREMENTS[name]():
            print(f"  {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
