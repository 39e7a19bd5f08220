"""Every event in every state is a row, ignored for a reason, or one of the anomalies listed here.

The lists are part of the review: an event that leaves or joins them changes what stops a pair.
"""

import pytest

from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.table import Table

_TABLES = (PAIR, POSITION, ORDER, PERMISSION)
_ANOMALIES = {
    # The engine itself raises entry_considered, only for a signal; only a signal has a deadline.
    "pair": """
        idle       deadline_passed entry_considered
        ordering   deadline_passed entry_considered
        open       deadline_passed entry_considered
        closing    deadline_passed entry_considered
    """,
    # Idle and signalled are passed through in one turn; an exit order exists only after an entry has ended.
    "position": """
        idle       deadline_passed entry_ended entry_filled_further entry_planned entry_went_stale
        idle       exit_ended exit_filled_further exit_triggered position_detached
        signalled  deadline_passed entry_ended entry_filled_further entry_signalled entry_went_stale
        signalled  entry_adopted exit_ended exit_filled_further exit_triggered holding_adopted
        signalled  position_detached
        ordering   entry_adopted entry_planned entry_signalled exit_ended exit_filled_further
        ordering   holding_adopted
        open       entry_adopted entry_planned entry_signalled entry_went_stale holding_adopted
        closing    entry_adopted entry_planned entry_signalled entry_went_stale holding_adopted
        closed     deadline_passed entry_planned entry_signalled entry_went_stale
        closed     entry_adopted holding_adopted
        abandoned  deadline_passed entry_planned entry_signalled entry_went_stale
        abandoned  entry_adopted exit_ended exit_filled_further holding_adopted
        dust       deadline_passed entry_planned entry_signalled entry_went_stale
        dust       entry_adopted holding_adopted
    """,
    # A planned order is unknown to everybody else; an order is submitted once; an end has no deadline.
    "order": """
        planned           cancel_refused cancel_requested deadline_passed engine_restarted order_absent
        planned           order_accepted order_cancelled order_expired order_filled order_partially_filled
        planned           order_found_alive order_rejected outcome_lost
        submitting        order_submitted
        working           order_submitted
        partially_filled  order_submitted
        cancelling        order_submitted
        unknown           order_submitted
        filled            deadline_passed engine_restarted order_submitted
        cancelled         deadline_passed engine_restarted order_submitted
        rejected          deadline_passed engine_restarted order_submitted
        expired           deadline_passed engine_restarted order_submitted
    """,
    # Only a pause has a deadline.
    "permission": """
        active   deadline_passed
        halted   deadline_passed
    """,
}


every_table = pytest.mark.parametrize("table", _TABLES, ids=lambda table: table.name)


def _listed(text: str) -> set[tuple[str, str]]:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return {(state, event) for state, *events in lines for event in events}


@every_table
def test_every_event_is_a_row_or_ignored_or_a_listed_anomaly(table: Table) -> None:
    expected = _listed(_ANOMALIES[table.name])
    found = {
        (state, event)
        for state in table.by_name
        for event in table.events
        if not table.rows_of(state, event) and table.why_ignored(state, event) is None
    }
    assert sorted(found - expected) == [], "neither a row, nor ignored, nor listed"
    assert sorted(expected - found) == [], "listed, and yet decided by the table"


@every_table
def test_every_ignored_event_has_a_reason_and_is_ignored_once(table: Table) -> None:
    pairs = [(source, ignored.event) for ignored in table.ignored for source in ignored.sources]
    assert len(set(pairs)) == len(pairs)
    assert all(ignored.why for ignored in table.ignored)


@every_table
def test_every_state_guard_and_effect_says_what_it_means(table: Table) -> None:
    words = [state.meaning for state in table.states] + [*table.guards.values(), *table.effects.values()]
    assert all(words)
    assert len({state.meaning for state in table.states}) == len(table.states)


@every_table
def test_a_state_that_waits_is_no_end_and_waits_for_one_thing(table: Table) -> None:
    for state in table.states:
        assert not (state.waits and state.final), state.name
        assert not (state.deadline and state.waits_on), state.name


@every_table
def test_every_row_marked_otherwise_has_a_row_above_it(table: Table) -> None:
    for row in table.rows:
        if row.otherwise:
            assert table.rows_of(row.source, row.event)[0] is not row, (row.source, row.event)
