"""The strategy that the document on strategies shows: it votes on the imbalance of the order book."""

import re
from pathlib import Path

from tests.command_line.running import ROOT


def imbalance(folder: Path, *changes: tuple[str, str]) -> str:
    """Writes the document's own strategy, changed; its name."""
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new, 1)
    (folder / "imbalance.py").write_text(source, encoding="utf-8")
    return f"{folder / 'imbalance.py'}:Imbalance"
