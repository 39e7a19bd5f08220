"""What an examination found: checks with a verdict and its words, and the facts they rest on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    OK = "ok"
    UNTOLD = "untold"
    """It could not be found out, and nothing is wrong with that."""
    WARNING = "warning"
    """It works, and a person should know."""
    FAULT = "fault"
    """As it is, the engine does not trade, or not in the way that is configured."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question, what was found, and what to do unless all is well."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


@dataclass(slots=True)
class Findings:
    """Everything that one examination found, in its order."""

    exchange: str
    mode: str
    capabilities: dict[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    markets: list[Mapping[str, Any]] = field(default_factory=list)
    latency: dict[str, Any] = field(default_factory=dict)

    def note(self, name: str, verdict: Verdict, found: str, remedy: str = "") -> None:
        self.checks.append(Check(name, verdict, found, remedy))

    @property
    def faults(self) -> list[Check]:
        return [check for check in self.checks if check.verdict is Verdict.FAULT]
