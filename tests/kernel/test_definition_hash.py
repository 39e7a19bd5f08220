"""The hash of a definition changes with what a table does, never with how it is worded."""

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.table import Ignored, Row, State, Table, definition_hash
from tests.fresh_process import printed_for_hash_seeds

TABLES = (PAIR, POSITION, ORDER, PERMISSION)

tables = st.sampled_from(TABLES)


def _hash(
    table: Table,
    *,
    name: str | None = None,
    states: tuple[State, ...] | None = None,
    rows: tuple[Row, ...] | None = None,
    ignored: tuple[Ignored, ...] | None = None,
) -> str:
    """Of a definition that need not be sound, so that every single change can be tried."""
    changed = SimpleNamespace(
        name=table.name if name is None else name,
        states=table.states if states is None else states,
        rows=table.rows if rows is None else rows,
        ignored=table.ignored if ignored is None else ignored,
    )
    return definition_hash(cast(Table, changed))


def _replaced(rows: tuple[Row, ...], at: int, row: Row) -> tuple[Row, ...]:
    return (*rows[:at], row, *rows[at + 1 :])


@given(tables, st.text())
def test_wording_does_not_count(table: Table, words: str) -> None:
    worded = Table(
        name=table.name,
        states=tuple(replace(state, meaning=words) for state in table.states),
        rows=tuple(replace(row, why=words) for row in table.rows),
        guards=dict.fromkeys(table.guards, words),
        effects=dict.fromkeys(table.effects, words),
        ignored=tuple(replace(ignored, why=words) for ignored in table.ignored),
        exclusive=table.exclusive,
    )
    assert worded.hash == table.hash


@given(tables, st.randoms(use_true_random=False))
def test_how_ignored_events_are_grouped_does_not_count(table: Table, random: Random) -> None:
    single = [Ignored((source,), i.event, i.why) for i in table.ignored for source in i.sources]
    random.shuffle(single)
    assert _hash(table, ignored=tuple(single)) == table.hash


@given(tables, st.data())
def test_every_change_of_a_row_counts(table: Table, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(table.rows) - 1))
    row = table.rows[at]
    others = [name for name in table.by_name if name not in (row.source, row.target)]
    other = data.draw(st.sampled_from(others))
    changed = data.draw(
        st.sampled_from(
            [
                replace(row, source=other),
                replace(row, target=other),
                replace(row, event=row.event + "_again"),
                replace(row, guards=(*row.guards, "luck")),
                replace(row, effects=(*row.effects, "sing")),
                replace(row, otherwise=not row.otherwise),
                *([replace(row, guards=row.guards[1:])] if row.guards else []),
                *([replace(row, effects=row.effects[:-1])] if row.effects else []),
                *([replace(row, effects=row.effects[::-1])] if len(set(row.effects)) > 1 else []),
            ]
        )
    )
    assert _hash(table, rows=_replaced(table.rows, at, changed)) != table.hash


@given(tables, st.data())
def test_removing_repeating_or_reordering_rows_counts(table: Table, data: st.DataObject) -> None:
    first, second = data.draw(
        st.lists(st.integers(0, len(table.rows) - 1), min_size=2, max_size=2, unique=True)
    )
    rows = table.rows
    swapped = _replaced(_replaced(rows, first, rows[second]), second, rows[first])
    for changed in (rows[:first] + rows[first + 1 :], (*rows, rows[first]), swapped):
        assert _hash(table, rows=changed) != table.hash


@given(tables, st.data())
def test_every_change_of_a_state_counts(table: Table, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(table.states) - 1))
    state = table.states[at]
    for changed in (
        replace(state, name=state.name + "_too"),
        replace(state, initial=not state.initial),
        replace(state, final=not state.final),
        replace(state, deadline=state.deadline + "_longer"),
        replace(state, waits_on=state.waits_on + "other"),
    ):
        states = (*table.states[:at], changed, *table.states[at + 1 :])
        assert _hash(table, states=states) != table.hash


@given(tables, st.data())
def test_what_is_ignored_counts(table: Table, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(table.ignored) - 1))
    assert _hash(table, ignored=table.ignored[:at] + table.ignored[at + 1 :]) != table.hash


def test_the_name_counts_and_no_two_machines_share_a_hash() -> None:
    assert _hash(PAIR, name="couple") != PAIR.hash
    assert len({table.hash for table in TABLES}) == len(TABLES)


def test_the_hash_does_not_depend_on_the_hash_seed_of_the_process() -> None:
    script = (
        "from fsm.order import ORDER\nfrom fsm.pair import PAIR\n"
        "from fsm.permission import PERMISSION\nfrom fsm.position import POSITION\n"
        "print(PAIR.hash, POSITION.hash, ORDER.hash, PERMISSION.hash)\n"
    )
    seen = printed_for_hash_seeds(script, "0", "1", "4242")
    assert seen == {" ".join(table.hash for table in TABLES) + "\n"}
