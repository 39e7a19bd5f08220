"""What a document tells its reader to type, in the order in which it stands there."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.command_line.running import ROOT

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_REST = re.compile(r"\s[|>#]")
"""A pipe, a redirection or a remark: what follows is the shell's."""


@dataclass(frozen=True, slots=True)
class Typed:
    """One command line of a document, relative to the checkout."""

    document: str
    line: str

    @property
    def words(self) -> list[str]:
        """Without the program's own name."""
        return shlex.split(_REST.split(self.line)[0])[1:]


def blocks(document: str, *languages: str) -> Iterator[tuple[str, str]]:
    """The language and the text of each block, without the indentation of a list it stands in."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for indentation, language, body in _BLOCK.findall(text):
        if language in languages:
            yield language, re.sub(f"^{indentation}", "", body, flags=re.MULTILINE)


def typed(document: str) -> Iterator[Typed]:
    """The commands `dirigent ...` of its shell blocks, and of its console blocks what follows the prompt."""
    for language, body in blocks(document, "sh", "console"):
        prompt = "$ " if language == "console" else ""
        for line in body.splitlines():
            if line.startswith(f"{prompt}dirigent "):
                yield Typed(document, line.removeprefix(prompt))


def documents() -> list[str]:
    """Every document that shows commands to type, by its path in the checkout."""
    found = [path.relative_to(ROOT).as_posix() for path in _written()]
    return [document for document in found if any(typed(document))]


def _written() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))
