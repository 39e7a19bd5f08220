"""Books changed past the store are found out: by `verify` always, by a start since the last checkpoint."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.commit import StoreError
from fsm.records import OrderRecord, PositionRecord
from persistence import loading, state_maps
from persistence.fold import fold
from persistence.journal import CHECKPOINT_EVERY, GENESIS, chain_hash
from persistence.state_maps import StateMap
from persistence.store import SqliteStore
from persistence.verification import verify
from tests.persistence.deals import SYMBOL, History, fill_of, one_deal, pair, stored_deal

UNGUARDED = (
    "DROP TRIGGER journal_is_not_changed",
    "DROP TRIGGER journal_is_not_cut",
    "DELETE FROM engine WHERE name = 'open'",
)


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (*UNGUARDED, *statements):
            connection.execute(statement)


def crashed_deal(path: Path) -> None:
    """A stored deal whose order was filled, and the process died: no checkpoint at the end."""
    history = History()
    _, entry = one_deal(history)
    history.filled(entry, fill_of(entry))
    store = SqliteStore.open(path)
    store.commit(history.take())
    store._connection.close()
    store._lock.release()


TAMPERINGS = {
    "an entry's words": (
        ("UPDATE journal SET note = 'nothing to see' WHERE seq = 2",),
        "journal entry 2 was changed",
    ),
    "an entry's time": (
        ("UPDATE journal SET at_ms = at_ms - 1 WHERE seq = 3",),
        "journal entry 3 was changed",
    ),
    "an entry's guards": (("UPDATE journal SET guards = '[]' WHERE seq = 1",), "journal entry 1 was changed"),
    "an entry's epoch": (("UPDATE journal SET epoch = 7 WHERE seq = 1",), "journal entry 1 was changed"),
    "an entry is gone": (("DELETE FROM journal WHERE seq = 2",), "journal entry 2 is missing"),
    "the first is gone": (("DELETE FROM journal WHERE seq = 1",), "journal entry 1 is missing"),
    "a price": (("UPDATE orders SET price = '1'",), "order ap1e1: price is"),
    "a state": (("UPDATE positions SET state = 'open'",), "position p1: state is"),
    "a row is gone": (
        ("DELETE FROM outbox", "DELETE FROM fills", "DELETE FROM orders"),
        "order ap1e1 is in the journal and not in its table",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_verify_names_the_first_difference(path: Path, name: str) -> None:
    statements, words = TAMPERINGS[name]
    stored_deal(path)
    tamper(path, *statements)
    report = verify(path)
    assert not report.is_whole
    assert report.difference is not None
    assert words in report.difference


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_start_after_a_crash_refuses_what_was_changed_since_the_checkpoint(path: Path, name: str) -> None:
    statements, words = TAMPERINGS[name]
    crashed_deal(path)
    tamper(path, *statements)
    with SqliteStore.open(path) as store, pytest.raises(StoreError, match="run `dirigent verify`") as caught:
        store.load()
    assert words in str(caught.value)


def test_a_row_that_nobody_journaled_is_found(path: Path) -> None:
    stored_deal(path)
    tamper(
        path,
        "INSERT INTO pairs SELECT state, version, due_at_ms, reason, 'XRP/USDT', strategy, signal,"
        " entry_position_id, cooldown_until_ms FROM pairs",
    )
    assert verify(path).difference == "pair XRP/USDT is in its table and not in the journal"


def test_a_forged_chain_is_caught_by_the_tables(path: Path) -> None:
    """Hashes can be computed anew by anyone; the fold of the forged changes still has to be the tables."""
    stored_deal(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in UNGUARDED:
            connection.execute(statement)
        connection.execute("UPDATE journal SET changes = replace(changes, '30000.10', '30000.11')")
        last = GENESIS.hash
        for row in connection.execute("SELECT * FROM journal ORDER BY seq").fetchall():
            last = chain_hash(last, row[:-1])
            connection.execute("UPDATE journal SET hash = ? WHERE seq = ?", (last, row[0]))
        connection.execute("UPDATE checkpoints SET hash = ?", (last,))
    report = verify(path)
    assert (
        report.difference
        == "position p1: reference_price is '30000.10' in its table and '30000.11' in the journal"
    )


def test_a_cut_off_journal_is_found_by_its_checkpoint(path: Path) -> None:
    stored_deal(path)
    tamper(path, "DELETE FROM journal WHERE seq = 3")
    assert verify(path).difference == "journal entry 3 has a checkpoint and is missing"
    with SqliteStore.open(path) as store, pytest.raises(StoreError, match="is not the one at its checkpoint"):
        store.load()


def test_a_version_that_jumps_is_found(path: Path) -> None:
    history = History()
    first = history.born(pair())
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        jumping = first.copy()
        jumping.version = 5
        history.moved(jumping, "signalled")
        history.batch.records["pair", SYMBOL] = (history.batch.records["pair", SYMBOL][0], 1)
        store.commit(history.take())
    assert verify(path).difference == "journal entry 2: pair BTC/USDT goes from version 1 to 6"


def test_whole_books_are_whole_and_counted(path: Path) -> None:
    crashed_deal(path)
    report = verify(path)
    assert (report.difference, report.entries, report.subjects, report.fills) == (None, 4, 3, 1)
    assert len(report.head) == 64


def test_an_empty_database_is_whole(path: Path) -> None:
    SqliteStore.open(path).close()
    assert verify(path).is_whole


def test_a_number_that_only_gained_zeros_is_no_difference(path: Path) -> None:
    history = History()
    deal, _ = one_deal(history)
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        history.moved(deal, "open", quota=Decimal("100.0000"))
        store.commit(history.take())
    assert verify(path).is_whole


def test_the_journal_is_checkpointed_as_it_grows_and_at_the_end(path: Path) -> None:
    history = History()
    record = history.born(pair())
    with SqliteStore.open(path, durability="grouped") as store:
        for _ in range(CHECKPOINT_EVERY + 200):
            record = history.moved(record, "signalled" if record.state == "idle" else "idle")
            store.commit(history.take())
    with closing(sqlite3.connect(path)) as connection:
        seqs = [row[0] for row in connection.execute("SELECT seq FROM checkpoints ORDER BY seq")]
    assert seqs == [CHECKPOINT_EVERY, CHECKPOINT_EVERY + 201]
    assert verify(path).is_whole


def test_only_the_tail_is_read_at_a_start(path: Path) -> None:
    stored_deal(path)
    tamper(path, "UPDATE journal SET note = 'old and changed' WHERE seq = 1")
    with SqliteStore.open(path) as store:
        assert len(store.load().positions) == 1
    assert not verify(path).is_whole


def test_the_fold_gives_the_books_of_a_past_moment(path: Path) -> None:
    history = History()
    deal, entry = one_deal(history)
    history.filled(entry, fill_of(entry))
    before_ms = history.at_ms
    history.at_ms += 1_000
    history.moved(deal, "open", bought=Decimal("0.00330"), spent=Decimal("99.0003300"))
    with SqliteStore.open(path) as store:
        store.commit(history.take())
    then, now = fold(path, before_ms), fold(path)
    assert isinstance(then["order"][entry.client_order_id], OrderRecord)
    assert then["order"][entry.client_order_id].state == "filled"
    assert then["position"][deal.id] == deal
    after = now["position"][deal.id]
    assert isinstance(after, PositionRecord)
    assert (after.state, after.version, str(after.spent)) == ("open", 2, "99.0003300")
    assert fold(path, 0) == {"pair": {}, "permission": {}, "position": {}, "order": {}}


@pytest.fixture
def dropped_state(path: Path) -> Path:
    """A position that an older version left in a state which this one does not have."""
    history = History()
    deal, _ = one_deal(history)
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        history.moved(deal, "hedged")
        store.commit(history.take())
    return path


def test_a_state_that_the_table_lacks_is_refused_with_the_way_out(dropped_state: Path) -> None:
    with (
        SqliteStore.open(dropped_state) as store,
        pytest.raises(
            StoreError, match=r"position p1 is in state 'hedged', .* use the version that wrote it"
        ),
    ):
        store.load()


def test_a_state_map_moves_such_a_subject_and_journals_it(
    dropped_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = StateMap("hedged_is_open", "position", {"hedged": "open"})
    monkeypatch.setattr(state_maps, "STATE_MAPS", (used,))
    with SqliteStore.open(dropped_state) as store:
        [deal] = store.load().positions
        assert (deal.state, deal.version) == ("open", 3)
        assert deal.due_at_ms == loading.latest_moment(store._connection)
    assert verify(dropped_state).is_whole
    with SqliteStore.open(dropped_state) as store:
        assert store.load().positions == [deal]
    with closing(sqlite3.connect(dropped_state)) as connection:
        last = connection.execute(
            "SELECT event, source, target, note FROM journal ORDER BY seq DESC"
        ).fetchone()
    assert last == ("definition_changed", "hedged", "open", "state map hedged_is_open")
