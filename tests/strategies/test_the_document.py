"""Every command of the strategies' document does what it says, in its order, beside a running engine."""

import re
import shlex
from pathlib import Path

from tests.command_line.running import ROOT, spawn
from tests.strategies.daemons import daemon

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_its_commands_run_and_its_configuration_trades(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    blocks = _BLOCK.findall(text)
    ((_, tables),) = [block for block in blocks if block[0] == "toml"]
    typed = [shlex.split(line) for kind, body in blocks if kind == "sh" for line in body.splitlines()]
    assert len(typed) >= 9
    (tmp_path / "dirigent.toml").write_text(
        'database = "engine.sqlite"\n[paper]\nticks_per_s = 100\n' + tables, encoding="utf-8"
    )
    first = [words for words in typed if words[2] in ("new", "test")]
    for words in first:
        _runs(tmp_path, words)
    assert spawn("check", directory=tmp_path).returncode == 0
    with daemon(tmp_path):
        for words in typed:
            if words not in first:
                _runs(tmp_path, words)


def _runs(folder: Path, words: list[str]) -> None:
    assert words[0] == "dirigent"
    done = spawn(*words[1:], directory=folder)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
