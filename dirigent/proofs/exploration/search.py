"""The search: every world that can be reached, breadth first, to the fixpoint or the first breach."""

import time
from array import array
from itertools import pairwise

from loguru import logger

from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.findings import TRAP, Breach, Findings, Progress
from dirigent.proofs.exploration.worlds import Exploration, Step, World


def explore(bounds: Bounds, worlds_max: int | None = None, progress: Progress | None = None) -> Findings:
    """Searches to the fixpoint, to the first breach, or until `worlds_max` worlds are found."""
    logger.disable("services")
    try:
        return _Search(bounds, worlds_max, progress).run()
    finally:
        logger.enable("services")


class _Search:
    def __init__(self, bounds: Bounds, worlds_max: int | None, progress: Progress | None) -> None:
        self.exploration = Exploration(bounds)
        self.worlds_max = worlds_max
        self.progress = progress
        start = self.exploration.start
        self.numbers: dict[World, int] = {start: 0}
        self.worlds = [start]
        self.parents = array("l", [-1])
        self.depth = 0
        self.sources, self.targets = array("l"), array("l")

    def run(self) -> Findings:
        started_s = time.perf_counter()
        breach, complete = self._expand_all()
        if breach is None and complete:
            trap = self._trap()
            breach = None if trap is None else Breach(TRAP, self._labels(trap))
        moves = self.exploration.moves
        return Findings(
            self.exploration.bounds,
            len(self.worlds),
            len(self.sources),
            self.depth,
            len(moves.deals),
            moves.bench.turns,
            moves.cut,
            time.perf_counter() - started_s,
            frozenset(moves.bench.taken),
            breach,
            complete,
        )

    def _expand_all(self) -> tuple[Breach | None, bool]:
        level_end, number = 1, 0
        while number < len(self.worlds):
            if number == level_end:
                level_end, self.depth = len(self.worlds), self.depth + 1
            if self.progress is not None and number % 20_000 == 0:
                self.progress(len(self.worlds), len(self.worlds) - number, self.depth)
            broken = self._expand(number)
            if broken is not None:
                return Breach(broken.breach, (*self._labels(number), broken.label)), False
            if self.worlds_max is not None and len(self.worlds) > self.worlds_max:
                return None, False
            number += 1
        return None, True

    def _expand(self, number: int) -> Step | None:
        """Notes every next world; the first step that breaks a claim is returned."""
        reached = set()
        for step in self.exploration.steps(self.worlds[number]):
            if step.breach:
                return step
            target = self.numbers.get(step.world)
            if target is None:
                target = self.numbers[step.world] = len(self.worlds)
                self.worlds.append(step.world)
                self.parents.append(number)
            reached.add(target)
        reached.discard(number)
        self.sources.extend([number] * len(reached))
        self.targets.extend(reached)
        return None

    def _labels(self, number: int) -> tuple[str, ...]:
        """The shortest way to a world, read off the parents and asked for anew."""
        way = [number]
        while self.parents[way[-1]] >= 0:
            way.append(self.parents[way[-1]])
        way.reverse()
        return tuple(
            next(s.label for s in self.exploration.steps(self.worlds[here]) if s.world == self.worlds[there])
            for here, there in pairwise(way)
        )

    def _trap(self) -> int | None:
        """The first world from which no flat one can be reached: what is not found backwards from the flat ones."""
        count = len(self.worlds)
        starts = array("l", bytes(array("l").itemsize * (count + 1)))
        for target in self.targets:
            starts[target + 1] += 1
        for number in range(count):
            starts[number + 1] += starts[number]
        before, places = array("l", self.sources), array("l", starts)
        for source, target in zip(self.sources, self.targets, strict=True):
            before[places[target]] = source
            places[target] += 1
        found = bytearray(count)
        frontier = [n for n, world in enumerate(self.worlds) if self.exploration.is_flat(world)]
        for number in frontier:
            found[number] = 1
        while frontier:
            number = frontier.pop()
            for source in before[starts[number] : starts[number + 1]]:
                if not found[source]:
                    found[source] = 1
                    frontier.append(source)
        lost = found.find(0)
        return None if lost < 0 else lost
