"""A log line tells what happened then: its reason is its own, and a failed question is not a lost outcome."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from dirigent.story import lines_of
from fsm.commit import CommitBatch
from persistence.store import SqliteStore
from tests.services.bench import Plan, limit_rules, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import closed, trade


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """Every line that the commits of a store would be told in: level, event, fields."""
    lines: list[tuple[str, str, dict[str, Any]]] = []
    commit = SqliteStore.commit

    def telling(store: SqliteStore, batch: CommitBatch) -> None:
        commit(store, batch)
        lines.extend(lines_of(batch))

    monkeypatch.setattr(SqliteStore, "commit", telling)
    return lines


@pytest.fixture
def logged() -> Iterator[list[tuple[str, str]]]:
    """Level and event of every line that the services log themselves."""
    lines: list[tuple[str, str]] = []

    def keep(message: Any) -> None:
        record = message.record
        lines.append((record["level"].name, str(record["extra"].get("event"))))

    sink = logger.add(keep, level="DEBUG")
    yield lines
    logger.remove(sink)


async def test_the_reason_of_an_entry_stands_in_no_later_line(tmp_path: Path, told: list[Any]) -> None:
    desk = ScriptedDesk()
    rules = market_rules(exit_on_sell_signal=True)
    async with running(tmp_path / "d.sqlite", Plan(desk, rules)) as bench:
        await bench.price("10")
        desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
        desk.creates.append(lambda of: closed(of, trade("f2", of, "10")))
        await bench.buy(reason="fast came out above slow")
        await bench.sell(reason="fast came out below slow")
    moves = [(event, fields) for level, event, fields in told if level == "INFO" and event != "fill_booked"]
    of_the_entry = [event for event, fields in moves if "above" in str(fields.get("reason"))]
    assert of_the_entry, "the entry's own lines have it"
    assert set(of_the_entry) <= {"entry_signalled", "entry_planned", "signal_accepted", "entry_considered"}
    leaving = {event: fields for event, fields in moves if "exit" in fields}
    assert leaving["exit_triggered"]["exit"] == "opposite_signal"
    assert leaving["exit_ended"].keys() >= {"exit", "result"}


async def test_an_outcome_is_lost_once_and_what_is_asked_in_vain_is_told_at_debug(
    tmp_path: Path, told: list[Any], logged: list[tuple[str, str]]
) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk, limit_rules())) as bench:
        desk.creates.append(TimeoutError("no answer"))
        await bench.enter()
        for _ in range(5):
            await bench.wait(60)
    assert len(desk.asked("fetch")) >= 5
    assert [level for level, event in logged if event == "outcome_lost"] == ["WARNING"]
    assert {level for level, event in logged if event == "look_up_failed"} == {"DEBUG"}
    assert [
        fields["from"] for level, event, fields in told if (level, event) == ("INFO", "outcome_lost")
    ] == ["submitting"]
    again = {(level, event) for level, event, fields in told if fields.get("from") == "unknown"}
    assert again == {("DEBUG", "outcome_lost"), ("DEBUG", "deadline_passed")}


async def test_an_outcome_that_a_look_up_loses_is_a_warning(
    tmp_path: Path, logged: list[tuple[str, str]]
) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk, limit_rules())) as bench:
        await bench.enter()
        before = len(desk.asked("fetch"))
        while len(desk.asked("fetch")) < before + 2:
            desk.fetches.append(TimeoutError("no answer"))
            await bench.wait(600)
    assert [level for level, event in logged if event == "outcome_lost"] == ["WARNING"]
