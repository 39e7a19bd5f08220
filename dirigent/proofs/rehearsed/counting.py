"""The command itself, which also counts what it holds: memory, tasks, sockets, files, each half second.

`python -m dirigent.proofs.rehearsed.counting FILE trade ...` writes a line of JSON for each count into FILE.
"""

import asyncio
import gc
import itertools
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from dirigent import companions
from dirigent.command_line import main
from dirigent.running import Run

COUNT_EVERY_S = 0.5
COLLECTED_EVERY = 10
"""Collecting all garbage holds the engine up for a tenth of a second: at each tenth count."""
MODULE = "dirigent.proofs.rehearsed.counting"


@dataclass(frozen=True, slots=True)
class Count:
    """What one process holds at one moment. `tasks` are by the name of their coroutine."""

    memory_kb: int
    blocks: int | None
    """Pieces of memory that Python's objects occupy, after the garbage was collected: each few seconds. What the
    allocator keeps beyond them is in `memory_kb` alone."""
    tasks: dict[str, int]
    sockets: int
    files: int
    living: int
    """Orders and positions."""

    @classmethod
    def now(cls, run: Run, *, is_collected: bool) -> Self:
        working, targets = run.engine.state.working, _descriptors()
        sockets = sum(target.startswith("socket:") for target in targets)
        return cls(
            memory_kb=_resident_kb(),
            blocks=_blocks() if is_collected else None,
            tasks=dict(Counter(_name(task) for task in asyncio.all_tasks())),
            sockets=sockets,
            files=len(targets) - sockets,
            living=len(working.orders) + len(working.positions),
        )


def counts_in(file: Path) -> list[Count]:
    """All that were written so far; the last line may be half there."""
    if not file.exists():
        return []
    whole, _, _ = file.read_text().rpartition("\n")
    return [Count(**json.loads(line)) for line in whole.splitlines()]


def _descriptors() -> list[str]:
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(descriptor.readlink()))
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return targets


def _resident_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("/proc/self/status names no VmRSS")


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def _name(task: "asyncio.Task[object]") -> str:
    return getattr(task.get_coro(), "__qualname__", repr(task.get_coro()))


def _counting(file: Path) -> companions.Companion:
    async def count(run: Run) -> None:
        with file.open("a") as out:
            for number in itertools.count():
                counted = Count.now(run, is_collected=number % COLLECTED_EVERY == 0)
                out.write(json.dumps(asdict(counted)) + "\n")
                out.flush()
                await asyncio.sleep(COUNT_EVERY_S)

    return count


if __name__ == "__main__":
    companions.OPTIONAL = (*companions.OPTIONAL, _counting(Path(sys.argv[1])))
    main(sys.argv[2:])
