"""The operator's page leaves out no state, no refused start and no alert, and names none that does not exist."""

import ast
import re
from collections.abc import Iterator

import pytest

from dirigent.commands.common import Failed, Refused
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.table import Table
from persistence.faults import FAULTS
from tests.command_line.running import ROOT

_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)

_REFUSING = {
    "persistence": ("lock", "files", "creation", "open_mark", "loading", "schema", "epoch", "store"),
    "dirigent": ("venues", "steering/commanded_pairs", "daemon"),
    "services/exchanges/ccxt_exchange": ("capabilities", "library", "options"),
}
"""What a start goes through before it trades."""
_EXCEPTIONS = {
    "StoreError",
    "StoreConflict",
    "Refused",
    "Unreachable",
    "CannotTrade",
    "UnknownExchange",
    "BadOptions",
}
_ANYTHING = "\N{HORIZONTAL ELLIPSIS}"


def _section(heading: str) -> str:
    """From a heading to the next one of the same rank or a higher one."""
    rank = len(heading) - len(heading.lstrip("#"))
    rest = _PAGE.split(f"\n{heading}\n")[1]
    return re.split(rf"^#{{1,{rank}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def _rows(section: str) -> list[tuple[str, str, str]]:
    """Without the heads of the tables and the lines below them."""
    found: list[tuple[str, str, str]] = _ROW.findall(section)
    return [row for row in found if row[0].startswith("`")]


@pytest.mark.parametrize("table", [PERMISSION, PAIR, POSITION, ORDER], ids=lambda table: table.name)
def test_each_state_has_its_meaning_and_what_to_do(table: Table) -> None:
    rows = _rows(_section(f"### {table.name.capitalize()}"))
    assert [(name, meaning) for name, meaning, _ in rows] == [
        (f"`{state.name}`", state.meaning) for state in table.states
    ]
    assert all(len(what_to_do) > 5 for *_, what_to_do in rows)


def test_each_refused_start_has_its_remedy_and_none_is_made_up() -> None:
    explained = [
        pattern for row in _rows(_section("## When it does not start")) for pattern in _patterns(row[0])
    ]
    told = {*_messages(), *_faults(), "the configuration is not used"}
    assert [message for message in sorted(told) if not any(one.search(message) for one in explained)] == []
    assert [one.pattern for one in explained if not any(one.search(message) for message in told)] == []


def _patterns(cell: str) -> Iterator[re.Pattern[str]]:
    """A message as the page quotes it; `...` stands for what varies."""
    for quoted in re.findall(r"`([^`]+)`", cell):
        yield re.compile(".*".join(map(re.escape, quoted.split("..."))))


def _messages() -> Iterator[str]:
    """What the program says as it refuses, read off its source."""
    for folder, names in _REFUSING.items():
        for name in names:
            for node in ast.walk(ast.parse((ROOT / folder / f"{name}.py").read_text(encoding="utf-8"))):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and _is_refusal(node.exc):
                    yield from _texts(node.exc)


def _is_refusal(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _EXCEPTIONS


def _texts(call: ast.Call) -> Iterator[str]:
    """None for an exception that repeats another one's message, or adds a remark to it."""
    for text in call.args[:1]:
        if isinstance(text, ast.Constant):
            yield str(text.value)
        elif isinstance(text, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else _ANYTHING for part in text.values]
            if not "".join(parts).startswith(f"{_ANYTHING}; "):
                yield "".join(parts)


def _faults() -> Iterator[str]:
    for fault, remedy in FAULTS.values():
        yield f"database {_ANYTHING}: {fault} ({_ANYTHING}); {remedy}"


def test_each_alert_rule_has_a_runbook_and_each_runbook_a_rule() -> None:
    rules = (ROOT / "docs" / "monitoring" / "alert_rules.yml").read_text(encoding="utf-8")
    named = re.findall(r"- alert: (\w+)", rules)
    runbook = _section("## Runbook of the alerts")
    assert re.findall(r"^### (\w+)$", runbook, re.MULTILINE) == named
    for entry in re.split(r"^### \w+$", runbook, flags=re.MULTILINE)[1:]:
        assert len(entry.strip()) > 20


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = dict(re.findall(r"^\| (\d) \| (\w+)", _section("## Exit codes"), re.MULTILINE))
    assert rows.keys() == {"0", str(Failed.exit_code), str(Refused.exit_code)}
    assert rows[str(Refused.exit_code)] == "refused"
