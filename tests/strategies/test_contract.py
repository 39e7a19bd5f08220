"""The contract tells a strategy that keeps it from one that breaks a clause, and names the clause."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from dirigent.strategies_from_files import create
from dirigent.strategy_contract import examined
from services.strategies.catalogue import names
from services.strategies.contract import Subject, examine
from services.strategies.series import odd_series
from tests.command_line.running import invoke
from tests.strategies.files import that_first, written

TICKS = odd_series(500)
MORE_STATE = ("self._side = 0  #", "self._seen = []\n        self._side = 0  #")


def broken_clauses(name: str, params: Mapping[str, object] | None = None) -> dict[str, str]:
    subject = Subject(lambda: create(name, params), TICKS, budget_ms=50)
    return {finding.clause: finding.fault for finding in examine(subject) if finding.fault}


@pytest.mark.parametrize("name", names())
def test_what_is_built_in_keeps_it(name: str) -> None:
    assert broken_clauses(name) == {}


def test_the_template_keeps_it(tmp_path: Path) -> None:
    assert broken_clauses(written(tmp_path / "mine.py"), {"period": 5}) == {}


@pytest.mark.parametrize(
    ("changes", "clause", "words"),
    [
        ([that_first("1 / (tick.last - tick.last)")], "takes odd prices and gaps", "Division"),
        ([that_first("half = tick.last + tick.ask")], "takes odd prices and gaps", "unsupported operand"),
        ([that_first("return Vote(Side.BUY, 1.0, 'now')")], "warms up as told", "votes at sample 1"),
        ([that_first("Mine.count = getattr(Mine, 'count', 0) + 1", "if Mine.count % 7 == 0:", "    return None")],
         "is deterministic", "a second run votes differently"),
        ([MORE_STATE, that_first("self._seen.append(1)", "if len(self._seen) % 9 == 8:",
                                 "    return Vote(Side.BUY, 0.5, 'nth')")],
         "survives restarts", "a restart after"),
        ([('if side not in (-1, 0, 1):', "if False:")], "refuses foreign states", "has to raise CheckpointError"),
        ([('return {"side": self._side}', 'return {"side": self}')], "survives restarts", "cannot be saved as JSON"),
        ([("        where = {1:", "        return ''\n        where = {1:")], "explains itself", "no text"),
        ([that_first("self._average.update(1.0)")], "leaves tick and indicators alone", "changed an indicator"),
        ([that_first("given = tick", "given.last = given.last + 1")], "leaves tick and indicators alone", "tick"),
        ([MORE_STATE, that_first("self._seen.append(bytes(1000))")], "keeps its memory", "keep a bounded past"),
        ([that_first("sum(range(20_000))")], "keeps its time", "ms allowed"),
    ],
)  # fmt: skip
def test_each_clause_can_be_broken(
    tmp_path: Path, changes: list[tuple[str, str]], clause: str, words: str
) -> None:
    name = written(tmp_path / "mine.py", *changes)
    subject = Subject(lambda: create(name), TICKS[:250], budget_ms=0.4)
    found = next(finding for finding in examine(subject) if finding.clause == clause)
    assert words in found.fault


def test_the_command_says_so_with_its_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    assert invoke("strategy", "new", path).exit_code == 0
    kept = invoke("strategy", "test", path, "--json")
    assert kept.exit_code == 0, kept.output
    assert json.loads(kept.stdout)["kept"]
    assert invoke("strategy", "new", path).exit_code == 2
    written(path, that_first("words = {'one', 'two', 'three', 'four', 'five'}",
                             "if self._average.ready and tick.last > 100 and next(iter(words)) == 'one':",
                             "    return Vote(Side.BUY, 0.7, 'one')",
                             "if self._average.ready and tick.last > 100:",
                             "    return Vote(Side.BUY, 0.7, next(iter(words)))"))  # fmt: skip
    broken = invoke("strategy", "test", path)
    assert broken.exit_code == 1
    assert "FAILED  is the same in another process" in broken.output


def test_clock_and_files_are_out_of_reach_however_they_are_come_by(tmp_path: Path) -> None:
    clock = written(
        tmp_path / "clock.py",
        (
            "import CheckpointError, Sma",
            "import CheckpointError, Sma\nfrom services.strategies import budget",
        ),
        that_first("budget.watched().gen.gi_frame.f_builtins['open']('/dev/null').close()"),
    )
    report = examined(clock, {}, [], 50.0)
    assert not report.is_kept
    assert "out of a strategy's reach" in " ".join(finding.fault for finding in report.findings)


def test_one_that_never_comes_back_is_told_as_such(tmp_path: Path) -> None:
    name = written(tmp_path / "endless.py", that_first("while True:", "    pass"))
    report = examined(name, {}, [], 5.0, timeout_s=1.0)
    assert [finding.fault for finding in report.findings] == ["it did not come back within 1 s"]
