"""A running engine trades on the order book of its exchange; where there is none everybody is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dirigent.proofs.death.daemons import Daemon, Place, wait_until
from dirigent.proofs.rehearsed.beside import rehearsing
from dirigent.rehearsal.settings import RehearsalSettings
from fsm.commit import StoreError
from persistence import journal_queries, queries
from tests.command_line.running import invoke
from tests.strategies.imbalance import imbalance
from tests.strategies.trading import PAIR


@contextmanager
def placed(folder: Path, beginning: str, *arguments: str) -> Iterator[tuple[Place, Daemon]]:
    imbalance(folder)
    pair = (
        f'{beginning}[strategies]\nbudget_ms = 500\n[[pairs]]\nsymbol = "{PAIR}"\n'
        'strategy = "./imbalance.py"\nparams = { share = 0.5 }\nstop_loss = "0.5"\n'
    )
    place = Place.make(folder, pair)
    with Daemon(place, *arguments) as daemon:
        wait_until(daemon.is_trading, lambda: daemon.said, daemon.process)
        yield place, daemon


def told_books(database: Path) -> list[dict[str, Any]]:
    try:
        told: list[dict[str, Any]] = queries.status(database).get("order_books") or []
    except StoreError:  # the file is in the making
        return []
    return told


def has_traded(database: Path) -> bool:
    return bool(told_books(database) and queries.positions(database))


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_the_engine_trades_on_the_book_of_a_real_exchange(tmp_path: Path, mode: str) -> None:
    with rehearsing(RehearsalSettings(ticks_per_s=20, symbols=(PAIR,))) as beside:
        beginning = beside.configuration(mode, keys=mode == "live")
        arguments = ["--live"] if mode == "live" else []
        with placed(tmp_path, beginning, *arguments) as (place, daemon):
            wait_until(lambda: has_traded(place.database), lambda: daemon.said, daemon.process)
            (book,) = told_books(place.database)
            assert (book["symbol"], book["levels"], book["asked_by"]) == (PAIR, 5, ["imbalance"])
            assert any("of the book" in str(row) for row in journal_queries.entries(place.database))
            assert daemon.stop() == 0, daemon.said
    checked = invoke("-c", str(place.directory / "dirigent.toml"), "check")
    assert (checked.exit_code, "order book" in checked.output) == (0, False)


def test_where_there_is_no_book_everybody_is_told(tmp_path: Path) -> None:
    with placed(tmp_path, "[paper]\nticks_per_s = 50\n") as (place, daemon):
        fault = "paper streams no order book"
        wait_until(
            lambda: fault in str(told_books(place.database)),
            lambda: daemon.said,
            daemon.process,
        )
        assert f"0 of 1 known; {PAIR}: {fault}" in place.run("status").stdout
        (row,) = place.document("strategy", "list")
        assert row["notes"] == fault
        assert daemon.stop() == 0, daemon.said
        assert daemon.said.count("event=no_order_book") == 1
    checked = invoke("-c", str(place.directory / "dirigent.toml"), "check")
    assert checked.exit_code == 0
    assert f"{PAIR}: {place.directory / 'imbalance.py'} asks for the order book, and paper streams none" in (
        checked.stderr
    )
