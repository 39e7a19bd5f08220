"""A history that violates something, made as short and as plain as it can be while it still does."""

from collections.abc import Callable
from dataclasses import dataclass

from dirigent.proofs.simulation.faults import PROBABILITIES, FaultPlan
from dirigent.proofs.simulation.history import Result, run_history
from dirigent.proofs.simulation.scratch import Scratch

_RUNS_MAX = 150


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The shortest found: the arguments that repeat it, and what it tells."""

    seed: int
    operations: int
    without: tuple[str, ...]
    result: Result

    @property
    def command(self) -> str:
        left_out = f" --without {','.join(self.without)}" if self.without else ""
        return f"dirigent simulate --seeds 1 --seed {self.seed} --ops {self.operations}{left_out} --story"


def shrink(
    seed: int, operations: int, scratch: Scratch, run: Callable[..., Result] = run_history
) -> Shrunk | None:
    """None when that history violates nothing. Fewer operations first, then fewer kinds of faults, then again."""
    left = _RUNS_MAX

    def fails(count: int, without: tuple[str, ...]) -> Result | None:
        nonlocal left
        left -= 1
        result = run(seed, count, scratch, plan=FaultPlan(without))
        return result if result.violations else None

    first = fails(operations, ())
    if first is None:
        return None
    shortest = fewest_operations(operations, lambda count: fails(count, ()) is not None)
    without: tuple[str, ...] = ()
    for kind in sorted(first.faults.keys() & PROBABILITIES.keys()):
        if left > 0 and fails(shortest, (*without, kind)) is not None:
            without = (*without, kind)
    shortest = fewest_operations(shortest, lambda count: left > 0 and fails(count, without) is not None)
    told = run(seed, shortest, scratch, plan=FaultPlan(without), telling=True)
    return Shrunk(seed, shortest, without, told)


def fewest_operations(most: int, fails: Callable[[int], bool]) -> int:
    """By halving: `most` fails, and the answer fails; that fewer might fail, too, is possible."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if fails(middle):
            high = middle
        else:
            low = middle
    return high
