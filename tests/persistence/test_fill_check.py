"""Fills that were altered or lost after they were booked are found."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.commit import CommitBatch
from persistence.store import SqliteStore
from persistence.subjects import SUBJECT_TABLES
from persistence.verification import NOT_COVERED, verify
from tests.persistence.deals import History, fill_of, one_deal, order, position


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "books.sqlite"
    history = History()
    _, entry = one_deal(history)
    first = fill_of(entry, 1, "0.00130")
    last = replace(fill_of(entry, 2, "0.00200"), fee=Decimal("0.0000020"), fee_currency="BTC")
    entry = history.filled(entry, first, state="partially_filled")
    history.filled(entry, last)
    with SqliteStore.open(path) as store:
        store.commit(history.take())
    return path


def harm(path: Path, damage: str) -> None:
    """Done by another program, for which no foreign key holds."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(damage)
        connection.commit()


def test_books_that_are_the_sum_of_their_fills_are_whole(filled: Path) -> None:
    assert verify(filled).difference is None


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        ("UPDATE fills SET amount = '99'", "filled"),
        ("UPDATE fills SET price = '1'", "cost"),
        ("UPDATE fills SET fee = '7' WHERE id = 'f1'", "fee_quote"),
        ("UPDATE fills SET fee = '7' WHERE id = 'f2'", "fee_base"),
        ("UPDATE fills SET fee_currency = 'BNB'", "fee_base"),
        ("DELETE FROM fills", "filled"),
        ("DELETE FROM fills WHERE id = 'f2'", "filled"),
    ],
)
def test_a_fill_that_was_altered_or_lost_is_named_by_its_order(filled: Path, damage: str, field: str) -> None:
    harm(filled, damage)
    difference = verify(filled).difference
    assert difference is not None
    assert difference.startswith("order ")
    assert f": {field} is " in difference


@pytest.mark.parametrize("order", ["a", "zzz"], ids=["before every order", "after every order"])
def test_a_fill_that_was_added_for_no_order_is_found(filled: Path, order: str) -> None:
    harm(
        filled,
        f"INSERT INTO fills SELECT 'f3', '{order}', symbol, side, amount, price, fee, fee_currency, at_ms"
        " FROM fills WHERE id = 'f1'",
    )
    assert verify(filled).difference == f"fill f3 of BTC/USDT is of order {order}, which is not in its table"


@pytest.mark.parametrize("number", ["much", "", "sNaN", "NaN", "Infinity"])
def test_an_amount_that_is_no_number_is_a_difference(filled: Path, number: str) -> None:
    harm(filled, f"UPDATE fills SET amount = '{number}' WHERE id = 'f1'")
    difference = verify(filled).difference
    assert difference is not None
    assert difference.startswith("order ap1e1: ")


def test_orders_between_filled_ones_may_have_no_fill(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    history = History()
    with SqliteStore.open(path) as store:
        for number in range(1, 8):
            entry = history.born(order(history.born(position(number))))
            if number % 2 == 0:
                history.filled(entry, fill_of(entry, number))
        store.commit(history.take())
    assert verify(path).is_whole
    harm(path, "DELETE FROM fills WHERE id = 'f4'")
    assert verify(path).difference == "order ap4e1: filled is 0.00330 and its fills add up to 0"


def test_the_tables_that_are_not_covered_are_all_that_are_not_compared(filled: Path) -> None:
    compared = {"journal", "checkpoints", "fills", *(table.name for table in SUBJECT_TABLES.values())}
    with closing(sqlite3.connect(filled)) as connection:
        names = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert {name for name in names if not name.startswith(("_", "sqlite_"))} == compared | set(NOT_COVERED)


def test_a_price_that_is_no_number_is_a_difference_and_no_crash(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("UPDATE orders SET price = 'much'")
        connection.commit()
    assert "price is 'much'" in str(verify(filled).difference)


def test_a_database_without_orders_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    with SqliteStore.open(path) as store:
        store.commit(CommitBatch(facts={"a": "b"}))
    assert verify(path).is_whole
