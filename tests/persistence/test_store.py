"""The store: all or nothing, one version after the other."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.commit import (
    CommitBatch,
    OfferedSignal,
    Progress,
    StoreConflict,
    StoreError,
    UnknownSubject,
)
from persistence import journal_queries, queries
from persistence.store import Durability, SqliteStore
from persistence.verification import verify
from tests.persistence.deals import (
    SYMBOL,
    History,
    fill_of,
    one_deal,
    order,
    pair,
    position,
    send,
    stored_deal,
)


def test_several_moves_of_one_subject_share_a_commit(path: Path) -> None:
    history = History()
    _, entry = one_deal(history)
    entry = history.moved(entry, "working", exchange_order_id="77")
    entry = history.filled(entry, fill_of(entry))
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        assert store.find_order(entry.client_order_id) == entry
    assert [row["target"] for row in journal_queries.entries(path, entry.client_order_id)] == [
        "submitting",
        "working",
        "filled",
    ]
    assert verify(path).is_whole


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
    assert [row["seq"] for row in journal_queries.entries(path)] == [1, 2, 3, 4, 5]


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
    last = journal_queries.entries(path)[-1]
    assert (last["outcome"], last["changes"]) == ("refused", {})
    assert last["guards"] == [{"guard": "risk_allows_entry", "holds": False, "because": "balance 3 < 100"}]


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
    assert journal_queries.entries(path) == []


@pytest.mark.parametrize("statement", ["UPDATE journal SET note = 'x'", "DELETE FROM journal"])
def test_the_journal_refuses_to_be_rewritten(path: Path, statement: str) -> None:
    stored_deal(path)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()
