"""A record is copied before it is changed, and its changes are enough to repeat the change."""

from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.engine import Engine
from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.records import RECORD_TYPES, OrderRecord, PositionRecord, Record, changes_between, field_names

_TABLES = {table.name: table for table in (PAIR, POSITION, ORDER, PERMISSION)}
_KINDS = list(RECORD_TYPES.values())

every_kind = pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.machine)

_amounts = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9)


def _values(annotation: object) -> st.SearchStrategy[object]:
    moments = st.integers(0, 2**53)
    by_annotation: dict[object, st.SearchStrategy[object]] = {
        str: st.text(max_size=12),
        int: moments,
        Decimal: _amounts,
        int | None: st.none() | moments,
        Decimal | None: st.none() | _amounts,
    }
    return by_annotation[annotation]


def _records(kind: type[Record]) -> st.SearchStrategy[Record]:
    return st.builds(kind, **{field.name: _values(field.type) for field in fields(kind)})


def test_every_machine_has_one_record_type_that_knows_its_initial_state() -> None:
    assert set(RECORD_TYPES) == set(_TABLES)
    for name, kind in RECORD_TYPES.items():
        record = kind(state=_TABLES[name].initial)
        assert Engine(_TABLES[name]).table.by_name[record.state].initial
        assert kind.key in field_names(kind)
        assert record.subject_id == getattr(record, kind.key)


@every_kind
@given(data=st.data())
def test_a_copy_is_equal_and_changing_it_leaves_the_original_alone(
    kind: type[Record], data: st.DataObject
) -> None:
    record, other = data.draw(_records(kind)), data.draw(_records(kind))
    before = {name: getattr(record, name) for name in field_names(kind)}
    twin = record.copy()
    assert type(twin) is kind
    assert twin == record
    for name in field_names(kind):
        setattr(twin, name, getattr(other, name))
    assert twin == other
    assert {name: getattr(record, name) for name in field_names(kind)} == before


@every_kind
@given(data=st.data())
def test_changes_applied_to_the_record_before_give_the_record_after(
    kind: type[Record], data: st.DataObject
) -> None:
    before, after = data.draw(_records(kind)), data.draw(_records(kind))
    for name in data.draw(st.sets(st.sampled_from(field_names(kind)))):
        setattr(after, name, getattr(before, name))
    rebuilt = before.copy()
    changes = changes_between(before, after)
    for name, value in changes.items():
        setattr(rebuilt, name, value)
    assert rebuilt == after
    assert all(getattr(before, name) != value for name, value in changes.items())


@every_kind
@given(data=st.data())
def test_a_new_record_changes_every_field(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(_records(kind))
    assert kind(**changes_between(None, record)) == record


@every_kind
def test_nothing_changed_is_no_change(kind: type[Record]) -> None:
    record = kind(state="idle")
    assert changes_between(record, record.copy()) == {}


@every_kind
def test_every_stored_field_is_a_value_that_cannot_be_changed_in_place(kind: type[Record]) -> None:
    """That is why copying a record field by field is enough."""
    assert {field.type for field in fields(kind)} <= {str, int, Decimal, int | None, Decimal | None}


def test_a_record_has_no_room_for_a_misspelt_field() -> None:
    record = OrderRecord(state="planned")
    with pytest.raises(AttributeError):
        record.fileld = 1  # type: ignore[attr-defined]


@given(_amounts.filter(bool), _amounts)
def test_average_prices_are_exact_quotients(amount: Decimal, money: Decimal) -> None:
    assert OrderRecord(state="filled", filled=amount, cost=money).average == money / amount
    position = PositionRecord(state="closed", bought=amount, spent=money, sold=amount, received=-money)
    assert position.entry_price == money / amount
    assert position.exit_price == -money / amount


def test_nothing_traded_has_no_price() -> None:
    assert OrderRecord(state="working").average is None
    assert PositionRecord(state="ordering").entry_price is None
    assert PositionRecord(state="ordering").exit_price is None
