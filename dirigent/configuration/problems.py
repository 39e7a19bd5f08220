"""What is wrong with a configuration: every problem with its place, its value and the way out."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `file` names the file, the environment variable or the flag that holds the value."""

    file: str
    key: str
    value: str
    """As it was written; empty when nothing was."""
    message: str
    remedy: str

    def __str__(self) -> str:
        written = f"{self.key} = {self.value}" if self.value else self.key
        place = ": ".join(part for part in (self.file, written) if part)
        return f"{place}: {self.message}; {self.remedy}"


class SettingsError(Exception):
    """A configuration that is not used. It lists every problem found, not the first alone."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
