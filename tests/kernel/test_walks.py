"""Random histories of events: what holds whatever an exchange and a market do."""

from collections.abc import Collection, Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.engine import Engine, Outcome, Step
from fsm.order import ORDER, ORDER_FILLED, ORDER_FOUND_ALIVE
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.table import Table
from fsm.values import Ask, Verdict

TABLES = (PAIR, POSITION, ORDER, PERMISSION)
_ENGINES = {table.name: Engine(table) for table in TABLES}
History = list[tuple[str, frozenset[str]]]
"""Events, each with the guards that hold at its time."""
_BIRTHS = {"order": ("order_submitted",), "position": ("entry_signalled", "entry_planned")}
"""What every history of such a subject begins with."""
_FILLS = {"order_filled", "order_partially_filled"}

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def _just(holding: Collection[str]) -> Ask:
    """Answers yes to these guards and no to all others."""
    return lambda guard: Verdict(guard, guard in holding)


def _histories(table: Table) -> st.SearchStrategy[History]:
    holding = st.frozensets(st.sampled_from(sorted(table.guards))) if table.guards else st.just(frozenset())
    return st.lists(st.tuples(st.sampled_from(table.events), holding), max_size=40)


def _walked(machine: str, history: History) -> Iterator[tuple[Step, frozenset[str]]]:
    """The steps of one subject from its birth, each with the guards that held."""
    engine = _ENGINES[machine]
    state = engine.table.initial
    births: History = [(event, frozenset()) for event in _BIRTHS.get(machine, ())]
    for event, holding in (*births, *history):
        step = engine.step(state, event, _just(holding))
        yield step, holding
        state = step.target


@given(_histories(ORDER))
def test_an_order_that_ended_is_moved_by_nothing_but_a_fill(history: History) -> None:
    """Found alive at the exchange it stays as it ended, and is cancelled there."""
    for step, _ in _walked("order", history):
        if step.source in ORDER.finals and step.outcome is Outcome.MOVED:
            stopped = step.event == ORDER_FOUND_ALIVE and step.target == step.source
            assert stopped or step.event in _FILLS


_CORRECTIONS = {
    ORDER_FOUND_ALIVE: ("send_cancel", "note_anomaly"),
    ORDER_FILLED: ("tell_fill", "note_anomaly"),
}
"""What may still be done about an order that has filled: end its double, or book what filled beyond its amount."""


@given(_histories(ORDER))
def test_an_order_that_filled_stays_filled(history: History) -> None:
    engine = _ENGINES["order"]
    for event, holding in history:
        step = engine.step("filled", event, _just(holding))
        assert step.target == "filled"
        assert step.effects == _CORRECTIONS.get(event, ())


@given(_histories(ORDER))
def test_an_order_is_sent_once_in_its_life(history: History) -> None:
    steps = [step for step, _ in _walked("order", history)]
    assert [step.effects.count("send_order") for step in steps] == [1] + [0] * len(history)


@given(_histories(ORDER))
def test_no_time_out_and_no_failed_question_ends_an_order(history: History) -> None:
    for step, holding in _walked("order", history):
        if step.target in ORDER.finals and step.source not in ORDER.finals:
            assert step.event not in ("deadline_passed", "outcome_lost", "engine_restarted", "cancel_refused")
            if step.event == "order_absent":
                assert "absence_is_proved" in holding
                assert (step.target == "rejected") == ("nothing_has_filled" in holding)


@given(_histories(ORDER))
def test_every_fill_of_an_order_that_left_reaches_its_position(history: History) -> None:
    for step, _ in _walked("order", history):
        if step.event in _FILLS and step.source not in ("planned", "filled"):
            assert step.outcome is Outcome.MOVED
            assert {"tell_fill", "tell_end"} & set(step.effects)


@given(_histories(ORDER))
def test_the_end_of_an_order_is_always_told(history: History) -> None:
    for step, _ in _walked("order", history):
        if step.target in ORDER.finals and step.source not in ORDER.finals:
            assert "tell_end" in step.effects


@given(_histories(POSITION))
def test_a_position_that_ended_lives_again_only_by_a_late_fill(history: History) -> None:
    for step, _ in _walked("position", history):
        if step.source in POSITION.finals and step.target not in POSITION.finals:
            assert step.event == "entry_filled_further"


@given(_histories(POSITION))
def test_a_position_never_ends_without_its_result(history: History) -> None:
    for step, _ in _walked("position", history):
        if step.target in POSITION.finals and step.outcome is Outcome.MOVED:
            assert {"book_result", "tell_pair"} <= set(step.effects)


@given(_histories(PAIR))
def test_a_pair_plans_an_entry_only_for_a_signal_that_risk_allows(history: History) -> None:
    for step, holding in _walked("pair", history):
        if "plan_entry" in step.effects:
            assert (step.source, step.event) == ("signalled", "entry_considered")
            assert {"price_is_fresh", "risk_allows_entry"} <= holding


@given(_histories(PERMISSION))
def test_only_a_person_ends_a_halt(history: History) -> None:
    for step, _ in _walked("permission", history):
        if step.source == "halted" and step.target != "halted":
            assert step.event == "resumed"


@every_table
def test_from_every_state_an_end_can_be_reached(table: Table) -> None:
    """Walked through the engine, each row with just its own guards holding; without ends the start counts."""
    engine = _ENGINES[table.name]
    ends = table.finals or {table.initial}
    reach = {state: {state} for state in table.by_name}
    for _ in table.by_name:
        for state, event in product(table.by_name, table.events):
            for row in table.rows_of(state, event):
                step = engine.step(state, event, _just(row.guards))
                reach[state] |= reach[step.target]
    assert [state for state in reach if not reach[state] & ends] == []


@every_table
def test_whatever_the_guards_say_a_wait_is_answered_or_refused_but_never_an_anomaly(table: Table) -> None:
    engine = _ENGINES[table.name]
    for state in table.states:
        if not state.deadline:
            continue
        asked = sorted({g for row in table.rows_of(state.name, "deadline_passed") for g in row.guards})
        for answers in product((False, True), repeat=len(asked)):
            holds = [guard for guard, answer in zip(asked, answers, strict=True) if answer]
            step = engine.step(state.name, "deadline_passed", _just(holds))
            assert step.outcome in (Outcome.MOVED, Outcome.REFUSED)


def test_an_order_s_deadline_is_answered_whatever_the_guards_say() -> None:
    for state in ORDER.states:
        if state.deadline:
            step = _ENGINES["order"].step(state.name, "deadline_passed", lambda guard: Verdict(guard, False))
            assert step.outcome is Outcome.MOVED
            assert "look_up_order" in step.effects
