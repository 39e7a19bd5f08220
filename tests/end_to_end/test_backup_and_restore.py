"""A real engine backed up while it trades, and put back after it went on: no order's name is given twice."""

from collections import Counter
from pathlib import Path

import pytest

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Place, trading, wait_until
from fsm.commit import StoreError
from persistence import journal_queries, queries
from persistence.restoring import restore
from persistence.store import SqliteStore
from persistence.verification import verify
from services.exchanges.paper_file import audit


def names_at_the_exchange(place: Place) -> Counter[str]:
    return Counter(order.client_order_id for order in audit(place.exchange_file).orders)


def test_a_backup_made_while_it_trades_is_whole_and_put_back_gives_no_name_twice(tmp_path: Path) -> None:
    place = Place.make(tmp_path, restless(Market(latency_ms_min=1, latency_ms_max=3)))
    with trading(place) as daemon:
        wait_until(
            lambda: len(queries.positions(place.database, state="open")) >= 2 and ended(place) >= 4,
            lambda: "nothing was traded",
            daemon.process,
        )
        made = place.run("backup", "monday.sqlite")
        assert made.returncode == 0, made.stderr
        assert "whole" in made.stdout
        with pytest.raises(StoreError, match=f"process {daemon.process.pid} is using it"):
            restore(tmp_path / "monday.sqlite", place.database, 0, replace=True)
        before = sum(names_at_the_exchange(place).values())
        wait_until(
            lambda: sum(names_at_the_exchange(place).values()) >= before + 12,
            lambda: "it stopped trading",
            daemon.process,
        )
        assert daemon.stop() == 0, daemon.said

    sent_after = names_at_the_exchange(place)
    known = {row["client_order_id"] for row in queries.orders(tmp_path / "monday.sqlite")}
    assert set(sent_after) - known, "nothing was sent after the backup; this proves nothing"
    with pytest.raises(StoreError, match="it is a backup"):
        SqliteStore.open(tmp_path / "monday.sqlite")

    restored = place.run("restore", "monday.sqlite", "--yes")
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "monday.sqlite").exists()
    assert verify(place.database).is_whole
    entry = journal_queries.entries(place.database, "engine")[-1]
    assert (entry["event"], entry["target"]) == ("backup_restored", "halted")
    assert queries.status(place.database)["permission"] == "halted"
    (kept,) = tmp_path.glob("engine.sqlite.before-*Z")
    assert verify(kept).is_whole

    resumed = place.run("reconcile", "--resume", "all")
    assert resumed.returncode == 0, resumed.stderr
    with trading(place) as daemon:
        wait_until(
            lambda: len(set(names_at_the_exchange(place)) - set(sent_after)) >= 12,
            lambda: f"it trades no more: {daemon.said}",
            daemon.process,
        )
        assert daemon.stop() == 0, daemon.said
    names = names_at_the_exchange(place)
    tags = {name[:5] for name in names}
    assert len(tags) == 2
    assert [name for name, count in names.items() if count > 1] == []
    assert verify(place.database).is_whole
    former = next(iter(sent_after))[:5]
    of_open_ones = [
        order
        for order in queries.orders(place.database)
        if order["position_id"].startswith(former) and not order["client_order_id"].startswith(former)
    ]
    assert of_open_ones, "no position that was open at the backup left under the new tag"


def ended(place: Place) -> int:
    return len(queries.positions(place.database, state="closed"))
