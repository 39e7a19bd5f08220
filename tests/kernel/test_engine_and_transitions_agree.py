"""The whole product of states, events and verdicts: what the engine chooses is what `transitions` runs."""

from collections.abc import Collection, Iterator
from itertools import product
from typing import cast

import pytest

from fsm.engine import Engine, Outcome
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.table import Row, State, Table
from fsm.values import Ask, Verdict

TABLES = (PAIR, POSITION, ORDER, PERMISSION)

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def _just(holding: Collection[str]) -> Ask:
    """Answers yes to these guards and no to all others."""
    return lambda guard: Verdict(guard, guard in holding)


def _guards_of(table: Table, state: str, event: str) -> list[str]:
    return list(dict.fromkeys(guard for row in table.rows_of(state, event) for guard in row.guards))


def _every_question(table: Table) -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Each event in each state, with each way in which the guards asked there can answer."""
    for state, event in product(table.by_name, table.events):
        guards = _guards_of(table, state, event)
        for answers in product((False, True), repeat=len(guards)):
            yield state, event, dict(zip(guards, answers, strict=True))


@every_table
def test_the_step_chosen_is_the_step_run_for_every_combination_of_verdicts(table: Table) -> None:
    engine = Engine(table)
    combinations = 0
    for state, event, holds in _every_question(table):
        verdicts = {g: Verdict(g, said, "asked") for g, said in holds.items()}
        step = engine.step(state, event, verdicts.__getitem__)
        combinations += 1
        if table.rows_of(state, event):
            assert step.target == engine.run(state, event, verdicts)
        else:
            assert step.outcome in (Outcome.IGNORED, Outcome.ANOMALY)
            assert step.target == state
    assert combinations >= len(table.states) * len(table.events)


@every_table
def test_the_first_row_whose_guards_all_hold_is_taken(table: Table) -> None:
    engine = Engine(table)
    for state, event, holds in _every_question(table):
        open_rows = [r for r in table.rows_of(state, event) if all(holds[g] for g in r.guards)]
        step = engine.step(state, event, _just([guard for guard in holds if holds[guard]]))
        assert step.row == (open_rows[0] if open_rows else None)
        assert (step.outcome is Outcome.MOVED) == bool(open_rows)
        assert step.effects == (open_rows[0].effects if open_rows else ())


@every_table
def test_each_guard_is_asked_once_at_most_and_only_as_far_as_needed(table: Table) -> None:
    engine = Engine(table)
    for state, event, holds in _every_question(table):
        asked: list[str] = []

        def ask(guard: str, asked: list[str] = asked, holds: dict[str, bool] = holds) -> Verdict:
            asked.append(guard)
            return Verdict(guard, holds[guard])

        step = engine.step(state, event, ask)
        assert len(set(asked)) == len(asked)
        assert [verdict.guard for verdict in step.verdicts] == asked
        assert {v.guard: v.holds for v in step.verdicts} == {g: holds[g] for g in asked}
        if step.outcome is Outcome.REFUSED:
            for row in table.rows_of(state, event):
                assert any(guard in asked and not holds[guard] for guard in row.guards)


def test_a_guard_that_says_no_keeps_the_state_and_says_why() -> None:
    step = Engine(PAIR).step(
        "idle", "buy_signalled", lambda guard: Verdict(guard, False, "cool-down until 12:00, now 11:59")
    )
    assert (step.outcome, step.target, step.effects) == (Outcome.REFUSED, "idle", ())
    assert step.because == "signal_is_new: cool-down until 12:00, now 11:59"


def test_a_truthy_answer_that_is_not_true_is_decided_the_same_by_both() -> None:
    """A verdict with a truthy object in `holds` must not be taken by the one and refused by the other."""
    engine = Engine(POSITION)
    truthy = Verdict("holding_is_sellable", cast(bool, 1), "one")
    step = engine.step("open", "exit_triggered", lambda guard: truthy)
    assert step.target == "closing"


def test_an_ignored_event_tells_the_reason_of_the_table() -> None:
    step = Engine(ORDER).step("filled", "order_cancelled", _never_asked)
    assert (step.outcome, step.target, step.because) == (Outcome.IGNORED, "filled", "it has ended already")


def test_an_event_that_no_row_allows_is_an_anomaly_that_names_all_three() -> None:
    step = Engine(ORDER).step("planned", "order_filled", _never_asked)
    assert (step.outcome, step.target) == (Outcome.ANOMALY, "planned")
    assert step.because == "no row of table order allows order_filled in planned"


def test_an_event_that_the_table_never_heard_of_is_an_anomaly_too() -> None:
    assert Engine(ORDER).step("working", "sun_rose", _never_asked).outcome is Outcome.ANOMALY


def test_a_row_to_the_same_state_is_a_move_with_its_effects() -> None:
    step = Engine(ORDER).step("working", "deadline_passed", _never_asked)
    assert (step.outcome, step.target) == (Outcome.MOVED, "working")
    assert step.effects == ("look_up_order", "rearm_deadline")


def test_two_engines_of_one_table_and_two_tables_of_one_name_do_not_touch_each_other() -> None:
    first, second = Engine(ORDER), Engine(ORDER)
    other = Engine(
        Table(
            name="order",
            states=(
                State("planned", "made", initial=True),
                State("gone", "gone", final=True),
            ),
            rows=(Row("planned", "order_submitted", "gone"),),
            guards={},
            effects={},
        )
    )
    assert first.step("planned", "order_submitted", _never_asked).target == "submitting"
    assert other.step("planned", "order_submitted", _never_asked).target == "gone"
    assert second.step("planned", "order_submitted", _never_asked).target == "submitting"


def test_an_error_of_a_guard_reaches_the_caller_and_nothing_is_decided() -> None:
    def ask(guard: str) -> Verdict:
        raise LookupError(f"{guard} cannot be answered")

    with pytest.raises(LookupError, match="signal_is_new cannot be answered"):
        Engine(PAIR).step("idle", "buy_signalled", ask)


def _never_asked(guard: str) -> Verdict:
    raise AssertionError(f"{guard} was asked")
