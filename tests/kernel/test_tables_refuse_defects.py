"""Each kind of defect is refused: the smallest table that has it, and what the refusal says."""

import re
from dataclasses import replace
from typing import Any

import pytest

from fsm.table import DEADLINE_PASSED, Ignored, Row, State, Table, TableError

_START = State("start", "where it begins", initial=True)
_WORK = State("work", "something goes on", deadline="patience")
_DONE = State("done", "it is over", final=True)

_SOUND: dict[str, Any] = {
    "name": "small",
    "states": (_START, _WORK, _DONE),
    "rows": (
        Row("start", "begun", "work", ("ready",), ("tell",)),
        Row("work", "finished", "done", ("good",)),
        Row("work", DEADLINE_PASSED, "done"),
    ),
    "guards": {"ready": "it may begin", "good": "it went well"},
    "effects": {"tell": "say so"},
    "ignored": (Ignored(("done",), "begun", "too late"),),
    "exclusive": (),
}


def _table(**changes: Any) -> Table:
    return Table(**{**_SOUND, **changes})


def _refused(message: str, **changes: Any) -> None:
    with pytest.raises(TableError, match=f"^{re.escape('table small: ' + message)}$"):
        _table(**changes)


def _with_rows(*rows: Row) -> dict[str, Any]:
    return {"rows": (*_SOUND["rows"], *rows)}


def test_a_sound_table_is_accepted() -> None:
    table = _table()
    assert table.initial == "start"
    assert table.finals == {"done"}
    assert table.events == ("begun", "finished", DEADLINE_PASSED)
    assert table.rows_of("work", "finished") == (_SOUND["rows"][1],)
    assert table.why_ignored("done", "begun") == "too late"
    assert table.why_ignored("done", "finished") is None


def test_a_state_that_is_listed_twice() -> None:
    _refused("a state is listed twice; keep one", states=(_START, _WORK, _DONE, _DONE))


@pytest.mark.parametrize("starts", [0, 2])
def test_none_or_two_initial_states(starts: int) -> None:
    states = (replace(_START, initial=starts > 0), replace(_WORK, initial=starts > 1), _DONE)
    _refused("exactly one state must be initial", states=states)


def test_a_row_from_a_state_that_does_not_exist() -> None:
    _refused("row limbo + begun names the unknown state 'limbo'", **_with_rows(Row("limbo", "begun", "work")))


def test_a_row_to_a_state_that_does_not_exist() -> None:
    _refused("row work + begun names the unknown state 'limbo'", **_with_rows(Row("work", "begun", "limbo")))


def test_a_guard_that_nobody_declared() -> None:
    row = Row("work", "begun", "done", ("luck",))
    _refused("row work + begun asks the unknown guard 'luck'", **_with_rows(row))


def test_an_effect_that_nobody_declared() -> None:
    row = Row("work", "begun", "done", (), ("sing",))
    _refused("row work + begun wants the unknown effect 'sing'", **_with_rows(row))


def test_a_guard_that_no_row_asks() -> None:
    guards = {**_SOUND["guards"], "idle_words": "never asked"}
    _refused("'idle_words' is declared and no row uses it; remove it", guards=guards)


def test_an_effect_that_no_row_wants() -> None:
    effects = {**_SOUND["effects"], "sing": "never wanted"}
    _refused("'sing' is declared and no row uses it; remove it", effects=effects)


def test_an_ignored_event_in_a_state_that_does_not_exist() -> None:
    ignored = (Ignored(("limbo",), "begun", "nobody is there"),)
    _refused("ignored event begun names the unknown state 'limbo'", ignored=ignored)


def test_an_event_that_is_both_a_row_and_ignored() -> None:
    ignored = (Ignored(("start",), "begun", "and yet it moves"),)
    _refused("start + begun is both a row and ignored; decide for one", ignored=ignored)


def test_an_exclusive_group_with_a_guard_that_nobody_declared() -> None:
    exclusive = (frozenset({"ready", "luck"}),)
    _refused("the exclusive group names the unknown guard 'luck'", exclusive=exclusive)


def test_a_state_that_cannot_be_reached() -> None:
    states = (_START, _WORK, _DONE, State("island", "nobody comes here"))
    changes = _with_rows(Row("island", "finished", "done"))
    _refused("state 'island' cannot be reached from 'start'", states=states, **changes)


def test_a_state_that_nothing_leaves_and_that_is_no_end() -> None:
    states = (_START, _WORK, _DONE, State("trap", "nobody leaves", deadline="patience"))
    changes = _with_rows(Row("work", "begun", "trap"), Row("trap", DEADLINE_PASSED, "trap"))
    message = "state 'trap' is a dead end; add a row that leaves it or mark it final"
    _refused(message, states=states, **changes)


def test_states_that_only_lead_to_each_other_and_to_no_end() -> None:
    states = (_START, _WORK, _DONE, State("round", "and"), State("about", "about"))
    rows = (Row("work", "begun", "round"), Row("round", "begun", "about"), Row("about", "begun", "round"))
    _refused("from state 'about' no end can be reached", states=states, **_with_rows(*rows))


def test_a_machine_without_ends_must_be_able_to_come_back_to_its_start() -> None:
    states = (_START, _WORK, replace(_DONE, final=False))
    rows = (*_SOUND["rows"], Row("done", "finished", "work"))
    _refused("from state 'done' no end can be reached", states=states, rows=rows)
    _table(states=states, rows=(*rows, Row("done", "repeated", "start")))


def test_a_waiting_state_whose_deadline_no_row_answers() -> None:
    _refused(
        "state 'work' waits for patience and no row answers its deadline",
        rows=tuple(row for row in _SOUND["rows"] if row.event != DEADLINE_PASSED),
    )


def test_a_deadline_row_in_a_state_that_names_no_deadline() -> None:
    _refused(
        "state 'work' answers a deadline that it does not name",
        states=(_START, replace(_WORK, deadline=""), _DONE),
    )


def test_a_wait_that_another_machine_bounds_needs_no_row() -> None:
    rows = tuple(row for row in _SOUND["rows"] if row.event != DEADLINE_PASSED)
    table = _table(states=(_START, replace(_WORK, deadline="", waits_on="other"), _DONE), rows=rows)
    assert table.by_name["work"].waits


def test_a_row_that_an_earlier_row_always_takes_first() -> None:
    shadowed = Row("work", "finished", "start", ("good", "ready"), otherwise=True)
    message = (
        "rows work + finished to done and to start: "
        "the second is shadowed by the first and never taken; reorder them"
    )
    _refused(message, **_with_rows(shadowed))


def test_the_same_guards_that_lead_two_ways() -> None:
    message = "rows work + finished to done and to start: the same guards lead two ways; tell them apart"
    _refused(message, **_with_rows(Row("work", "finished", "start", ("good",), otherwise=True)))


def test_two_rows_that_can_both_hold_and_are_not_marked() -> None:
    second = Row("work", "finished", "start", ("ready",))
    message = (
        "rows work + finished to done and to start: "
        "both can hold; make their guards exclusive or mark the second otherwise"
    )
    _refused(message, **_with_rows(second))
    _table(**_with_rows(replace(second, otherwise=True)))
    _table(**_with_rows(second), exclusive=(frozenset({"good", "ready"}),))


def test_an_exclusive_group_does_not_excuse_rows_that_share_its_guard() -> None:
    rows = (
        Row("start", "begun", "work", ("ready", "good"), ("tell",)),
        Row("start", "begun", "done", ("ready", "kind")),
        Row("work", DEADLINE_PASSED, "done"),
    )
    guards = {**_SOUND["guards"], "kind": "it was kind"}
    message = (
        "rows start + begun to work and to done: "
        "both can hold; make their guards exclusive or mark the second otherwise"
    )
    _refused(message, rows=rows, guards=guards, exclusive=(frozenset({"ready", "other"} & set(guards)),))


def test_a_guard_or_an_effect_that_nobody_answers_for_is_refused_at_wiring() -> None:
    table = _table()
    table.require(["ready", "good", "more"], ["tell"])
    with pytest.raises(TableError, match="table small: nobody answers for guard good, ready; bind it"):
        table.require([], ["tell"])
    with pytest.raises(TableError, match="table small: nobody answers for effect tell; bind it"):
        table.require(["ready", "good"], [])
