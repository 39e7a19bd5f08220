"""A way through the worlds as a file: written when a claim breaks, and played again step by step."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.findings import TRAP, Findings
from dirigent.proofs.exploration.worlds import Exploration


class ScenarioError(ValueError):
    """The file is no scenario, or one of its steps cannot happen any more; the message says which."""


@dataclass(frozen=True, slots=True)
class Scenario:
    bounds: Bounds
    claim: str
    steps: tuple[str, ...]

    def write(self, path: Path) -> None:
        content = {"claim": self.claim, "bounds": self.bounds._asdict(), "steps": self.steps}
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def scenario_of(findings: Findings) -> Scenario:
    """Raises ValueError when the search found no breach."""
    if findings.breach is None:
        raise ValueError("no claim was broken")
    return Scenario(findings.bounds, findings.breach.claim, findings.breach.labels)


def read(path: Path) -> Scenario:
    """Raises ScenarioError when the file is not one that `write` left."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        bounds = Bounds(**content["bounds"])
        claim, steps = str(content["claim"]), tuple(str(step) for step in content["steps"])
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise ScenarioError(f"{path}: not a scenario: {error}") from None
    if any(type(count) is not int for count in bounds if count is not None):
        raise ScenarioError(f"{path}: not a scenario: its bounds are whole numbers")
    return Scenario(bounds, claim, steps)


@dataclass(frozen=True, slots=True)
class Played:
    """One step and what it led to; `breach` is the claim that it broke."""

    step: str
    pair: str
    permission: str
    deals: tuple[str, ...]
    breach: str


def play(scenario: Scenario) -> Iterator[Played]:
    """Plays step by step on the engine as it is now. Raises ScenarioError at a step that cannot happen."""
    exploration = Exploration(scenario.bounds)
    world = exploration.start
    for number, label in enumerate(scenario.steps, 1):
        logger.disable("services")
        try:
            steps = list(exploration.steps(world))
        finally:
            logger.enable("services")
        step = next((step for step in steps if step.label == label), None)
        if step is None:
            possible = ", ".join(sorted(s.label for s in steps))
            raise ScenarioError(f"step {number}, {label!r}, cannot happen here; possible: {possible}")
        world = step.world
        deals = tuple(
            exploration.moves.deals[key].words for key in world.deals if key in exploration.moves.deals
        )
        yield Played(label, world.shared.pair, world.shared.permission, deals, step.breach)


def is_trap(scenario: Scenario) -> bool:
    """Its claim is about everything that can follow, so that a replay shows the way and cannot show the breach."""
    return scenario.claim == TRAP
