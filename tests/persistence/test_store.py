"""The store: all or nothing, one version after the other; what has not ended is there at the next start."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from fsm.commit import (
    CommitBatch,
    OfferedSignal,
    Progress,
    StoreConflict,
    StoredState,
    StoreError,
    UnknownSubject,
)
from persistence import queries
from persistence.store import SqliteStore
from persistence.subjects import SUBJECT_TABLES
from persistence.verification import verify
from tests.persistence.deals import (
    SYMBOL,
    History,
    fill_of,
    one_deal,
    order,
    pair,
    permission,
    position,
    send,
    stored_deal,
)

Durability = Literal["each", "grouped"]
DURABILITIES: tuple[Durability, ...] = ("each", "grouped")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.sqlite"


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


@pytest.mark.parametrize("durability", DURABILITIES)
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


def test_several_moves_of_one_subject_share_a_commit(path: Path) -> None:
    history = History()
    _, entry = one_deal(history)
    entry = history.moved(entry, "working", exchange_order_id="77")
    entry = history.filled(entry, fill_of(entry))
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        assert store.find_order(entry.client_order_id) == entry
    assert [row["target"] for row in queries.journal(path, entry.client_order_id)] == [
        "submitting",
        "working",
        "filled",
    ]
    assert verify(path).is_whole


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_version_that_moved_on_meanwhile_is_a_conflict_and_nothing_is_written(
    path: Path, durability: Durability
) -> None:
    history = History()
    deal, entry = one_deal(history)
    with SqliteStore.open(path, durability=durability) as store:
        store.commit(history.take())
        history.moved(entry, "working")
        store.commit(history.take())
        history.moved(deal, "open", bought=Decimal(1))
        history.moved(entry, "cancelled")
        with pytest.raises(StoreConflict, match="no longer at version 1"):
            store.commit(history.take())
        assert store.find_position(deal.id) == deal
        history.moved(deal, "open")
        store.commit(history.take())
    assert verify(path).is_whole
    assert [row["seq"] for row in queries.journal(path)] == [1, 2, 3, 4, 5]


def test_a_subject_is_born_once(path: Path) -> None:
    stored_deal(path)
    history = History()
    history.born(position())
    with (
        SqliteStore.open(path) as store,
        pytest.raises(StoreConflict, match="position p1 cannot be stored as new"),
    ):
        store.commit(history.take())
    assert verify(path).is_whole


def test_a_record_without_its_journal_entry_is_refused(path: Path) -> None:
    history = History()
    deal, _ = one_deal(history)
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        changed = deal.copy()
        changed.version += 1
        batch = CommitBatch(records={("position", deal.id): (changed, deal.version)})
        with pytest.raises(StoreError, match="no journal entry that leads there"):
            store.commit(batch)
        assert store.find_position(deal.id) == deal


def test_a_move_without_its_record_is_refused(path: Path) -> None:
    history = History()
    deal, _ = one_deal(history)
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        history.moved(deal, "open")
        history.batch.records.clear()
        with pytest.raises(StoreError, match="whose record is not in the batch"):
            store.commit(history.take())


def test_a_refusal_is_journaled_and_changes_no_record(path: Path) -> None:
    history = History()
    first = history.born(pair())
    history.refused(first, "buy_signalled", "balance 3 < 100")
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        assert store.load().pairs == [first]
    last = queries.journal(path)[-1]
    assert (last["outcome"], last["changes"]) == ("refused", {})
    assert last["guards"] == [{"guard": "risk_allows_entry", "holds": False, "because": "balance 3 < 100"}]


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_fill_is_stored_once_and_a_duplicate_takes_back_its_whole_batch(
    path: Path, durability: Durability
) -> None:
    history = History()
    _, entry = one_deal(history)
    entry = history.filled(entry, fill_of(entry), state="partially_filled")
    with SqliteStore.open(path, durability=durability) as store:
        store.commit(history.take())
        assert store.has_fill(SYMBOL, "f1")
        assert not store.has_fill("ETH/USDT", "f1")
        history.filled(entry, fill_of(entry))
        with pytest.raises(StoreConflict, match="fill f1"):
            store.commit(history.take())
        assert store.find_order(entry.client_order_id) == entry


def test_a_fill_of_an_unknown_order_is_refused(path: Path) -> None:
    stray = fill_of(order(position(9)))
    with SqliteStore.open(path) as store, pytest.raises(StoreConflict, match="FOREIGN KEY"):
        store.commit(CommitBatch(fills=[stray]))


def test_a_request_is_pending_until_it_is_done(path: Path) -> None:
    _, entry = stored_deal(path)
    with SqliteStore.open(path) as store:
        assert store.load().pending_outbox == [send(entry)]
        store.commit(CommitBatch(outbox_done=[send(entry).id]))
        store.commit(CommitBatch(outbox_done=[send(entry).id]))
        assert store.load().pending_outbox == []


def test_a_request_that_was_never_asked_for_cannot_be_done(path: Path) -> None:
    with SqliteStore.open(path) as store, pytest.raises(UnknownSubject, match="send-nothing"):
        store.commit(CommitBatch(outbox_done=["send-nothing"]))


def test_a_signal_is_remembered_and_may_be_offered_again_without_effect(path: Path) -> None:
    signal = OfferedSignal("s1", SYMBOL, "buy", "refused", 7)
    with SqliteStore.open(path) as store:
        assert not store.signal_was_offered("s1")
        store.commit(CommitBatch(signals=[signal]))
        store.commit(CommitBatch(signals=[signal]))
        assert store.signal_was_offered("s1")


def test_a_fact_has_its_last_value(path: Path) -> None:
    with SqliteStore.open(path) as store:
        store.commit(CommitBatch(facts={"epoch": "a name of the engine's own", "equity": "1"}))
        store.commit(CommitBatch(facts={"equity": "2"}))
    assert reopened(path).facts == {"epoch": "a name of the engine's own", "equity": "2"}


def test_progress_replaces_what_was_saved_before(path: Path) -> None:
    with SqliteStore.open(path) as store:
        store.save_progress(Progress(1, {"ticks": 1}, [(SYMBOL, "1.10", 1, "")], {SYMBOL: "{}"}))
        store.save_progress(
            Progress(2, {"ticks": 2}, [(SYMBOL, "1.20", 2, "warming up")], {SYMBOL: '{"n":2}'})
        )
        assert store.load().checkpoints == {SYMBOL: '{"n":2}'}
    assert queries.status(path)["ticks"] == 2


def test_an_empty_batch_writes_nothing(path: Path) -> None:
    with SqliteStore.open(path) as store:
        before = store._connection.total_changes
        store.commit(CommitBatch())
        assert store._connection.total_changes == before


def test_a_store_that_was_taken_over_writes_no_more(path: Path) -> None:
    history = History()
    with SqliteStore.open(path) as store:
        store.commit(CommitBatch(facts={"who": "first"}))
        with sqlite3.connect(path) as other:
            other.execute("UPDATE engine SET value = '99' WHERE name = 'epoch'")
        other.close()
        history.born(pair())
        with pytest.raises(StoreConflict, match="another engine took it over"):
            store.commit(history.take())
        with pytest.raises(StoreConflict, match="epoch 99"):
            store.save_progress(Progress(1, {"ticks": 1}))
        assert store.load().pairs == []
    assert queries.journal(path) == []


@pytest.mark.parametrize("statement", ["UPDATE journal SET note = 'x'", "DELETE FROM journal"])
def test_the_journal_refuses_to_be_rewritten(path: Path, statement: str) -> None:
    stored_deal(path)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


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
