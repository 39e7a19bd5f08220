"""The codec: whatever Decimal goes in comes out, digit for digit, on every path."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm.commit import CommitBatch
from fsm.records import RECORD_TYPES, Fill, OrderRecord, PositionRecord, Record
from fsm.values import Leg, Verdict
from persistence import journal_queries, queries
from persistence.codec import (
    Codec,
    changes_to_json,
    heartbeat_to_json,
    text_of,
    verdicts_from_json,
    verdicts_to_json,
)
from persistence.fold import fold
from persistence.store import SqliteStore
from persistence.subjects import FILL_CODEC, SUBJECT_TABLES
from tests.persistence.deals import History, fill_of, order, position

DECIMALS = st.one_of(
    st.decimals(),
    st.builds(
        lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
        st.integers(0, 1),
        st.lists(st.integers(0, 9), min_size=1, max_size=60).map(tuple),
        st.integers(-100_000, 100_000),
    ),
)
FINITE = DECIMALS.filter(Decimal.is_finite)
AWKWARD = [Decimal(text) for text in ("-0", "0E-28", "1E+99999", "1.000", "0.00000000000000000000000000001")]


def exactly(number: Decimal | None) -> tuple[Any, ...] | None:
    """Two Decimals are the same when sign, digits and exponent are: `==` would take 1.0 for 1.00."""
    return None if number is None else tuple(number.as_tuple())


def decimal_fields(record: Record) -> list[str]:
    codec: Codec[Any] = SUBJECT_TABLES[record.machine].codec
    return [column.name for column in codec.columns if column.is_decimal]


@given(number=DECIMALS)
def test_any_decimal_survives_a_record_row(number: Decimal) -> None:
    for record in (PositionRecord(state="open"), OrderRecord(state="working")):
        for name in decimal_fields(record):
            setattr(record, name, number)
        codec: Codec[Any] = SUBJECT_TABLES[record.machine].codec
        twin = codec.decode(codec.encode(record))
        assert all(exactly(getattr(twin, name)) == exactly(number) for name in decimal_fields(record))


@given(number=DECIMALS)
def test_any_decimal_survives_the_changes_of_an_entry(number: Decimal) -> None:
    codec: Codec[Any] = SUBJECT_TABLES["position"].codec
    restored = codec.restore(json.loads(changes_to_json({"state": "open", "spent": number})))
    assert exactly(restored["spent"]) == exactly(number)
    assert restored["state"] == "open"


@given(number=DECIMALS)
def test_any_decimal_survives_a_fill_row(number: Decimal) -> None:
    fill = Fill("1", "a1", "BTC/USDT", "buy", number, number, number, "USDT", 1)
    twin = FILL_CODEC.decode(FILL_CODEC.encode(fill))
    assert [exactly(n) for n in (twin.amount, twin.price, twin.fee)] == [exactly(number)] * 3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(FINITE, min_size=3, max_size=3))
def test_any_decimal_survives_the_database_and_the_fold(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[Decimal]
) -> None:
    path = tmp_path_factory.mktemp("exact") / "books.sqlite"
    check_through_database(path, *numbers)


@pytest.mark.parametrize("number", AWKWARD, ids=str)
def test_awkward_decimals_survive_the_database_and_the_fold(tmp_path: Path, number: Decimal) -> None:
    check_through_database(tmp_path / "books.sqlite", number, number, number)


def check_through_database(path: Path, spent: Decimal, price: Decimal, fee: Decimal) -> None:
    history = History()
    deal = position()
    deal.spent = spent
    deal = history.born(deal)
    entry = order(deal)
    entry.price = price
    entry = history.born(entry)
    history.filled(entry, replace(fill_of(entry), fee=fee, fee_currency="BNB"))
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        found_position, found_order = store.find_position(deal.id), store.find_order(entry.client_order_id)
    assert found_position is not None
    assert found_order is not None
    folded = fold(path)["position"][deal.id]
    assert isinstance(folded, PositionRecord)
    assert exactly(found_position.spent) == exactly(folded.spent) == exactly(spent)
    assert exactly(found_order.price) == exactly(price)
    assert exactly(queries.fills(path)[0]["fee"]) == exactly(fee)
    changes = journal_queries.entries(path, entry.client_order_id)[0]["changes"]
    assert exactly(changes["price"]) == exactly(price)


@pytest.mark.parametrize("money", [0.1, 1, "1.5"], ids=["float", "int", "text"])
def test_money_that_is_no_decimal_is_refused_before_anything_is_written(tmp_path: Path, money: Any) -> None:
    history = History()
    deal = position()
    deal.spent = money
    history.born(deal)
    with SqliteStore.open(tmp_path / "books.sqlite") as store:
        with pytest.raises(TypeError, match="money must be a Decimal"):
            store.commit(history.take())
        assert store.find_position(deal.id) is None
        store.commit(CommitBatch(facts={"still": "works"}))


def test_every_record_type_has_columns_for_all_its_fields_and_rows_restore_it() -> None:
    for kind in RECORD_TYPES.values():
        codec: Codec[Any] = SUBJECT_TABLES[kind.machine].codec
        record = kind("idle")
        assert codec.decode(codec.encode(record)) == record
        assert len(codec.columns) == len(codec.encode(record))


def test_verdicts_come_back_with_their_words() -> None:
    verdicts = (
        Verdict("price_is_fresh", False, 'last tick 31 s old > "30 s"\n'),
        Verdict("entry_is_done", True),
    )
    assert verdicts_from_json(verdicts_to_json(verdicts)) == [
        {"guard": "price_is_fresh", "holds": False, "because": 'last tick 31 s old > "30 s"\n'},
        {"guard": "entry_is_done", "holds": True, "because": ""},
    ]
    assert verdicts_from_json(verdicts_to_json(())) == []


@given(number=DECIMALS)
def test_a_decimal_is_written_as_python_writes_it(number: Decimal) -> None:
    assert changes_to_json({"spent": number}) == json.dumps({"spent": str(number)}, separators=(",", ":"))


def test_changes_are_written_in_the_order_of_their_fields() -> None:
    changes = {"state": "open", "due_at_ms": None, "attempt": 2, "amount": Decimal("1.10"), "leg": Leg.EXIT}
    expected = '{"state":"open","due_at_ms":null,"attempt":2,"amount":"1.10","leg":"exit"}'
    assert changes_to_json(changes) == expected
    assert changes_to_json(dict(reversed(changes.items()))) != expected


def test_a_heartbeat_keeps_money_as_text() -> None:
    assert json.loads(heartbeat_to_json({"equity": Decimal("10000.10")})) == {"equity": "10000.10"}


def test_text_of_money_is_exact_and_takes_nothing_else() -> None:
    assert text_of(Decimal("1.00E+3")) == "1.00E+3"
    with pytest.raises(TypeError):
        text_of(1.0)  # type: ignore[arg-type]


def test_a_change_of_trailing_zeros_is_no_difference() -> None:
    codec: Codec[Any] = SUBJECT_TABLES["order"].codec
    assert codec.are_same({"cost": "1.0"}, {"cost": "1.00"}) is None
    assert codec.are_same({"cost": "1.0"}, {"cost": "1.01"}) == "cost"
    assert codec.are_same({"reason": "1.0"}, {"reason": "1.00"}) == "reason"
