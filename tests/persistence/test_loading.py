"""What a start loads: all that has not ended, and the tag, the epoch and the number it goes on with."""

from pathlib import Path

import pytest

from fsm.commit import (
    CommitBatch,
    StoredState,
)
from persistence.store import Durability, SqliteStore
from persistence.subjects import SUBJECT_TABLES
from tests.persistence.deals import SYMBOL, History, fill_of, one_deal, order, permission, position, send


def reopened(path: Path) -> StoredState:
    with SqliteStore.open(path) as store:
        return store.load()


def test_a_new_database_is_empty_and_has_a_tag_that_orders_can_begin_with(path: Path) -> None:
    with SqliteStore.open(path) as store:
        state = store.load()
    assert len(state.tag) == 5
    assert state.tag.isalnum()
    assert state.tag == state.tag.lower()
    assert state.tag[0].isalpha()
    assert state.tag[0] != "t"
    assert (state.pairs, state.positions, state.orders, state.pending_outbox) == ([], [], [], [])
    assert state.last_position_number == 0


def test_the_tag_stays_and_the_epoch_counts_the_starts(path: Path) -> None:
    with SqliteStore.open(path, tag="abcde") as store:
        first = store.load()
    second = reopened(path)
    assert (first.tag, second.tag) == ("abcde", "abcde")
    assert second.epoch == first.epoch + 1


def test_what_was_committed_is_there_after_a_restart(path: Path, durability: Durability) -> None:
    history = History()
    deal, entry = one_deal(history)
    history.born(permission("engine"))
    history.batch.facts["day_equity"] = "10000.00"
    with SqliteStore.open(path, durability=durability) as store:
        store.commit(history.take())
    state = reopened(path)
    assert state.positions == [deal]
    assert state.orders == [entry]
    assert [record.subject_id for record in (*state.pairs, *state.permissions)] == [SYMBOL, "engine"]
    assert state.facts == {"day_equity": "10000.00"}
    assert state.pending_outbox == [send(entry)]
    assert state.last_position_number == 1


def test_what_has_ended_is_not_loaded_and_can_be_found(path: Path) -> None:
    history = History()
    deal, entry = one_deal(history)
    entry = history.filled(entry, fill_of(entry))
    deal = history.moved(deal, "closed", closed_at_ms=5)
    with SqliteStore.open(path) as store:
        store.commit(history.take())
    with SqliteStore.open(path) as store:
        state = store.load()
        assert (state.positions, state.orders) == ([], [])
        assert store.find_position(deal.id) == deal
        assert store.find_order(entry.client_order_id) == entry
        assert store.find_order("nobody") is None
        assert store.find_position("nobody") is None


def test_a_fact_has_its_last_value(path: Path) -> None:
    with SqliteStore.open(path) as store:
        store.commit(CommitBatch(facts={"epoch": "a name of the engine's own", "equity": "1"}))
        store.commit(CommitBatch(facts={"equity": "2"}))
    assert reopened(path).facts == {"epoch": "a name of the engine's own", "equity": "2"}


def test_ten_thousand_live_positions_with_their_orders_are_all_loaded(path: Path) -> None:
    history = History()
    with SqliteStore.open(path, durability="grouped") as store:
        for number in range(1, 10_001):
            history.born(order(history.born(position(number))))
            if number % 500 == 0:
                store.commit(history.take())
    state = reopened(path)
    assert len(state.positions) == len(state.orders) == 10_000
    assert state.last_position_number == 10_000


@pytest.mark.parametrize("machine", ["position", "order"])
def test_the_live_are_found_by_their_index(path: Path, machine: str) -> None:
    table = SUBJECT_TABLES[machine]
    with SqliteStore.open(path) as store:
        plan = store._connection.execute(
            f"EXPLAIN QUERY PLAN {table.select} WHERE {table.is_live}"
        ).fetchall()
    assert f"{table.name}_live" in plan[0][3]


def test_a_position_number_is_never_given_twice_though_numbers_were_skipped(path: Path) -> None:
    history = History()
    with SqliteStore.open(path, tag="abcde") as store:
        for name in ("abcde00000z", "abcde000010"):
            deal = position()
            deal.id = name
            history.born(deal)
        store.commit(history.take())
    assert reopened(path).last_position_number == 36


def test_positions_are_counted_when_their_ids_are_no_numbers(path: Path) -> None:
    history = History()
    history.born(position(1))
    with SqliteStore.open(path, tag="abcde") as store:
        store.commit(history.take())
    assert reopened(path).last_position_number == 1
