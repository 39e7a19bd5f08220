"""What people ask of the books, while the engine writes them and after."""

import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.commit import Progress, StoreError, UnknownSubject
from persistence import journal_queries, queries
from persistence.store import SqliteStore
from tests.persistence.deals import SYMBOL, History, fill_of, one_deal, pair, permission, position

HEARTBEAT = {
    "mode": "paper",
    "exchange": "paper",
    "pid": 1,
    "started_at_ms": 1_000,
    "at_ms": 61_000,
    "ticks": 600,
    "ticks_per_s": 10.0,
    "tick_ms_p50": 0.01,
    "tick_ms_p99": 0.5,
    "equity": Decimal("10000.10"),
    "balance": {
        "USDT": {"free": Decimal("9900.10"), "used": Decimal("100.00"), "total": Decimal("10000.10")}
    },
}


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An engine that has traded one deal and is still running."""
    history = History()
    deal, entry = one_deal(history)
    history.refused(deal, "exit_triggered", "age 3 s < 60 s")
    fill = replace(fill_of(entry), fee=Decimal("0.0000033"), fee_currency="BTC")
    entry = history.filled(entry, fill, exchange_order_id="77")
    history.moved(
        deal, "open", bought=entry.filled, spent=entry.cost, fee_base=entry.fee_base, opened_at_ms=5
    )
    history.born(position(2, "ETH/USDT"))
    history.born(pair("ETH/USDT"))
    with SqliteStore.open(path) as opened:
        opened.commit(history.take())
        yield opened


def test_positions_are_told_with_their_prices(store: SqliteStore) -> None:
    first, second = queries.positions(store.path)
    assert (first["id"], first["symbol"], first["state"], first["strategy"]) == ("p1", SYMBOL, "open", "macd")
    assert first["entry_price"] == Decimal("30000.10")
    assert (first["exit_price"], first["opened_at"], first["closed_at"]) == (None, 5, None)
    assert (second["id"], second["entry_price"]) == ("p2", None)
    assert isinstance(first["realized_pnl"], Decimal)


def test_positions_are_chosen_by_state_and_symbol(store: SqliteStore) -> None:
    assert [row["id"] for row in queries.positions(store.path, state="open")] == ["p1"]
    assert [row["id"] for row in queries.positions(store.path, symbol="ETH/USDT")] == ["p2"]
    assert queries.positions(store.path, state="open", symbol="ETH/USDT") == []


def test_orders_are_told_with_their_average_and_fee_in_quote(store: SqliteStore) -> None:
    [order] = queries.orders(store.path)
    assert (order["client_order_id"], order["exchange_order_id"], order["position_id"]) == (
        "ap1e1",
        "77",
        "p1",
    )
    assert (order["side"], order["type"], order["state"]) == ("buy", "limit", "filled")
    assert (str(order["amount"]), str(order["price"])) == ("0.00330", "30000.1")
    assert order["average"] == Decimal("30000.1")
    assert order["fee"] == Decimal("0.0000033") * Decimal("30000.1")
    assert queries.orders(store.path, state="working") == []
    assert len(queries.orders(store.path, position_id="p1")) == 1


def test_fills_are_told_as_the_exchange_reported_them(store: SqliteStore) -> None:
    [fill] = queries.fills(store.path)
    assert fill == {
        "id": "f1",
        "client_order_id": "ap1e1",
        "symbol": SYMBOL,
        "side": "buy",
        "amount": Decimal("0.00330"),
        "price": Decimal("30000.10"),
        "fee": Decimal("0.0000033"),
        "fee_currency": "BTC",
        "at": 1_700_000_000_500,
    }
    assert queries.fills(store.path, symbol="ETH/USDT") == []


def test_pairs_are_told_with_their_feed(store: SqliteStore) -> None:
    store.save_progress(Progress(9, {}, [(SYMBOL, "30000.10", 8, "warming up: 3 of 35 samples")]))
    first, second = queries.pairs(store.path)
    assert (first["symbol"], first["state"], first["strategy"]) == (SYMBOL, "idle", '[{"name":"macd"}]')
    assert (str(first["last_price"]), first["last_tick_at"]) == ("30000.10", 8)
    assert first["reason"] == "warming up: 3 of 35 samples"
    assert (second["last_price"], second["last_tick_at"], second["reason"]) == (None, None, "")


def test_a_pair_shows_the_stricter_permission(store: SqliteStore) -> None:
    history = History()
    history.born(permission("engine", "exits_only", "daily loss 201 > 200"))
    history.born(permission("ETH/USDT", "halted", "anomaly"))
    store.commit(history.take())
    shown = {row["symbol"]: (row["permission"], row["reason"]) for row in queries.pairs(store.path)}
    assert shown == {SYMBOL: ("exits_only", "daily loss 201 > 200"), "ETH/USDT": ("halted", "anomaly")}


def test_the_journal_is_told_in_order_with_verdicts_and_typed_changes(store: SqliteStore) -> None:
    entries = journal_queries.entries(store.path)
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    filled = next(entry for entry in entries if entry["target"] == "filled")
    assert (filled["machine"], filled["subject_id"], filled["source"]) == ("order", "ap1e1", "submitting")
    assert filled["guards"] == [
        {"guard": "risk_allows_entry", "holds": True, "because": "exposure 100 + 50 <= 5000"}
    ]
    assert str(filled["changes"]["cost"]) == "99.0003300"
    assert filled["changes"]["exchange_order_id"] == "77"
    assert {"at", "event", "outcome", "definition", "hash", "note"} <= set(filled)


def test_the_journal_of_a_position_tells_the_whole_deal(store: SqliteStore) -> None:
    whole = journal_queries.entries(store.path, "p1")
    assert {(entry["machine"], entry["subject_id"]) for entry in whole} == {
        ("position", "p1"),
        ("order", "ap1e1"),
    }
    assert {entry["outcome"] for entry in whole} == {"moved", "refused"}
    assert {entry["subject_id"] for entry in journal_queries.entries(store.path, "ap1e1")} == {"ap1e1"}


def test_the_journal_is_cut_by_time_number_and_count(store: SqliteStore) -> None:
    entries = journal_queries.entries(store.path)
    assert journal_queries.entries(store.path, since_ms=entries[2]["at"]) == entries[2:]
    assert journal_queries.entries(store.path, after_seq=3) == entries[3:]
    assert journal_queries.entries(store.path, limit=2) == entries[-2:]
    assert journal_queries.entries(store.path, after_seq=entries[-1]["seq"]) == []
    assert journal_queries.entries(store.path, "p1", after_seq=entries[-1]["seq"]) == []


def test_a_walk_through_the_journal_tells_the_same_from_the_beginning(store: SqliteStore) -> None:
    entries = journal_queries.entries(store.path)
    since_ms = entries[2]["at"]
    assert list(journal_queries.walk_entries(store.path)) == entries
    assert list(journal_queries.walk_entries(store.path, "p1")) == journal_queries.entries(store.path, "p1")
    assert list(journal_queries.walk_entries(store.path, since_ms=since_ms)) == entries[2:]
    assert list(journal_queries.walk_entries(store.path, after_seq=3)) == entries[3:]
    assert list(journal_queries.walk_entries(store.path, "ap1e1", since_ms, 4)) == [
        entry for entry in entries[4:] if entry["subject_id"] == "ap1e1"
    ]
    assert list(journal_queries.walk_entries(store.path, "p1", after_seq=entries[-1]["seq"])) == []


def test_a_walk_tells_one_moment_though_the_engine_writes_on(store: SqliteStore) -> None:
    walk = journal_queries.walk_entries(store.path)
    first = next(walk)
    count = len(journal_queries.entries(store.path))
    history = History()
    history.born(permission("engine"))
    store.commit(history.take())
    assert len([first, *walk]) == count
    assert len(journal_queries.entries(store.path)) == count + 1


def test_a_walk_refuses_before_it_begins(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(UnknownSubject, match="no pair, position or order has this id"):
        journal_queries.walk_entries(store.path, "p99")
    with pytest.raises(StoreError, match="no database at"):
        journal_queries.walk_entries(tmp_path / "nowhere.sqlite")


def test_an_unknown_id_is_an_answer_of_its_own(store: SqliteStore) -> None:
    with pytest.raises(UnknownSubject, match="no pair, position or order has this id"):
        journal_queries.entries(store.path, "p99")


def test_states_are_counted_by_machine(store: SqliteStore) -> None:
    assert queries.state_counts(store.path) == {
        "pair": {"idle": 2},
        "permission": {},
        "position": {"open": 1, "ordering": 1},
        "order": {"filled": 1},
    }


def test_status_is_the_heartbeat_while_the_engine_runs(store: SqliteStore) -> None:
    store.save_progress(Progress(61_000, HEARTBEAT))
    status = queries.status(store.path, now_ms=91_000)
    assert (status["running"], status["pid"], status["uptime_s"]) == (True, os.getpid(), 90.0)
    assert (status["mode"], status["exchange"], status["ticks"]) == ("paper", "paper", 600)
    assert str(status["equity"]) == "10000.10"
    assert status["pairs_by_state"] == {"idle": 2}
    assert status["positions_by_state"] == {"open": 1, "ordering": 1}
    assert status["orders_by_state"] == {"filled": 1}
    assert status["permission"] == "active"


def test_status_of_a_stopped_engine_is_its_last_heartbeat(store: SqliteStore) -> None:
    store.save_progress(Progress(61_000, HEARTBEAT))
    store.close()
    status = queries.status(store.path, now_ms=91_000)
    assert (status["running"], status["pid"], status["uptime_s"]) == (False, None, 60.0)


def test_status_and_balance_before_the_first_heartbeat(store: SqliteStore) -> None:
    assert queries.status(store.path)["uptime_s"] is None
    assert queries.balance(store.path) == {}


def test_balance_is_exact(store: SqliteStore) -> None:
    store.save_progress(Progress(61_000, HEARTBEAT))
    [held] = queries.balance(store.path).values()
    assert {name: str(amount) for name, amount in held.items()} == {
        "free": "9900.10",
        "used": "100.00",
        "total": "10000.10",
    }


def test_a_path_with_marks_that_mean_something_in_a_uri_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "what? 100% #1.sqlite"
    with SqliteStore.open(path) as store:
        store.load()
    assert queries.positions(path) == []
    assert sorted(file.name for file in tmp_path.iterdir() if "100%" in file.name)[0] == path.name
