"""The search for several deals at once: each in full, seen beside what the engine can see of the others.

All joint states of two deals are their states multiplied. But a turn for one deal reads of another no more than its
summary. So a view holds one deal in full and the summaries of the others, and each other one may do in it whatever
any deal that looks like it was found to do there. The views cover every joint state, and some that cannot be: what
holds in all views holds in all joint states. For one deal there are no others, and the views are the states.
Deaths are not counted here: any number of them is covered, unless there are none.
"""

import time
from array import array
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from loguru import logger

from dirigent.proofs.exploration.bench import Shared
from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.deals import Deal, Others, Summary
from dirigent.proofs.exploration.findings import TRAP, Breach, Findings, Progress
from dirigent.proofs.exploration.worlds import Exploration, breach_of_pair


class View(NamedTuple):
    """`deal` is empty where only the pair and the others are seen."""

    shared: Shared
    deal: str
    others: Others


class Change(NamedTuple):
    """What a deal was seen to do, as the others see it; `summary` None: it ended."""

    shared: Shared
    summary: Summary | None


def search(bounds: Bounds, progress: Progress | None = None) -> Findings:
    """To the fixpoint or the first breach. The steps of a breach tell what the others did in general words."""
    logger.disable("services")
    try:
        return Search(bounds, progress).run()
    finally:
        logger.enable("services")


class Search:
    def __init__(self, bounds: Bounds, progress: Progress | None) -> None:
        self.bounds = bounds
        self.progress = progress
        self.exploration = Exploration(bounds)
        self.views: list[View] = []
        self.numbers: dict[View, int] = {}
        self.parents, self.labels, self.depths = array("l"), array("l"), array("l")
        self.words: dict[str, int] = {}
        self.alike: defaultdict[tuple[Shared, Summary, Others], list[int]] = defaultdict(list)
        """Views by all that another deal's turn can see of them."""
        self.changes: defaultdict[tuple[Shared, Summary, Others], dict[Change, None]] = defaultdict(dict)
        """By pair, own summary and the others': what a deal does there."""
        self.sources, self.targets = array("l"), array("l")
        self.ends: list[int] = []
        """Views in which the deal can end by its next move."""
        self.edges = 0
        self.breach: Breach | None = None

    def run(self) -> Findings:
        started_s = time.perf_counter()
        self._reach(View(self.exploration.start.shared, "", ()), -1, "")
        number = 0
        while number < len(self.views) and self.breach is None:
            if self.progress is not None and number % 20_000 == 0:
                self.progress(len(self.views), len(self.views) - number, self.depths[number])
            self._expand(number)
            number += 1
        complete = self.breach is None
        if complete:
            self._find_trap()
        moves = self.exploration.moves
        return Findings(
            self.bounds,
            len(self.views),
            self.edges,
            max(self.depths),
            len(moves.deals),
            moves.bench.turns,
            moves.cut,
            time.perf_counter() - started_s,
            frozenset(moves.bench.taken),
            self.breach,
            complete,
        )

    def _reach(self, view: View, parent: int, label: str, breach: str = "") -> int:
        number = self.numbers.get(view)
        if number is None:
            number = self.numbers[view] = len(self.views)
            self.views.append(view)
            self.parents.append(parent)
            self.labels.append(self.words.setdefault(label, len(self.words)))
            self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
            states = [state for state, _ in view.others]
            deal = self._deal(view)
            if deal is not None:
                self.alike[view.shared, deal.summary, view.others].append(number)
                states.append(deal.position.state)
            breach = breach or breach_of_pair(view.shared, states)
        self.edges += 1
        if breach and self.breach is None:
            self.breach = Breach(breach, (*self._way(parent), label))
        return number

    def _deal(self, view: View) -> Deal | None:
        return self.exploration.moves.deals[view.deal] if view.deal else None

    def _expand(self, number: int) -> None:
        view = self.views[number]
        deal = self._deal(view)
        everyone = view.others if deal is None else tuple(sorted((*view.others, deal.summary)))
        if deal is not None:
            self._move_deal(number, view, deal)
            for other in dict.fromkeys(view.others):
                rest = _without(everyone, other)
                for change in list(self.changes[view.shared, other, rest]):
                    self._suffer(number, other, change)
        self._move_pair(number, view, everyone)

    def _move_deal(self, number: int, view: View, deal: Deal) -> None:
        known = self.changes[view.shared, deal.summary, view.others]
        for label, after, shared, breach in self._own_moves(view, deal):
            if after is None:
                self.ends.append(number)
                self._reach(View(shared, "", view.others), number, label, breach)
            else:
                target = self._reach(View(shared, after.key, view.others), number, label, breach)
                self.sources.append(number)
                self.targets.append(target)
            change = Change(shared, after.summary if after else None)
            if change not in known and change != (view.shared, deal.summary):
                known[change] = None
                self._impose(view, deal.summary, change)

    def _own_moves(self, view: View, deal: Deal) -> Iterator[tuple[str, Deal | None, Shared, str]]:
        moves = self.exploration.moves
        for move in moves.of(deal, view.shared, view.others):
            yield move.label, move.deal, move.shared, move.breach
        passed, breach = moves.window_passed(deal)
        yield "the window for late requests passes", passed, view.shared, breach
        if self.bounds.crashes == 0:
            return
        died = moves.died(deal, view.shared)
        yield "the engine dies and is started again", died.deal, died.shared, died.breach

    def _impose(self, view: View, summary: Summary, change: Change) -> None:
        """A change that was not seen before happens in every view that has such a deal among its others."""
        for own in dict.fromkeys(view.others):
            others = tuple(sorted((*_without(view.others, own), summary)))
            for number in list(self.alike[view.shared, own, others]):
                self._suffer(number, summary, change)

    def _suffer(self, number: int, other: Summary, change: Change) -> None:
        view = self.views[number]
        rest = _without(view.others, other)
        others = rest if change.summary is None else tuple(sorted((*rest, change.summary)))
        became = "ended" if change.summary is None else change.summary[0]
        label = f"another deal, {other[0]}, is {became} now"
        self._reach(View(change.shared, view.deal, others), number, label)

    def _move_pair(self, number: int, view: View, everyone: Others) -> None:
        for move in self.exploration.of_pair(view.shared, everyone):
            if move.born is None:
                self._reach(view._replace(shared=move.shared), number, move.label, move.breach)
                continue
            self._reach(View(move.shared, move.born.key, everyone), number, move.label, move.breach)
            if view.deal:
                others = tuple(sorted((*view.others, move.born.summary)))
                self._reach(View(move.shared, view.deal, others), number, move.label, move.breach)

    def _way(self, number: int) -> tuple[str, ...]:
        texts = list(self.words)
        way = []
        while number > 0:
            way.append(texts[self.labels[number]])
            number = self.parents[number]
        return tuple(reversed(way))

    def _find_trap(self) -> None:
        """Every deal has to be able to reach its end by moves of its own, whatever the others are."""
        before: list[array[int]] = [array("l") for _ in self.views]
        for source, target in zip(self.sources, self.targets, strict=True):
            before[target].append(source)
        found = bytearray(bool(not view.deal) for view in self.views)
        frontier = list(dict.fromkeys(self.ends))
        for number in frontier:
            found[number] = 1
        while frontier:
            for source in before[frontier.pop()]:
                if not found[source]:
                    found[source] = 1
                    frontier.append(source)
        lost = found.find(0)
        if lost >= 0:
            self.breach = Breach(TRAP, self._way(lost))


def _without(all_of_them: Others, one: Summary) -> Others:
    rest = list(all_of_them)
    rest.remove(one)
    return tuple(rest)
