"""Books that were tampered with do not pass as whole."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dirigent.proofs.death.book_keeping import differences
from tests.scenarios.telling import tell

STORY = """A deal, and a second one.

max deals: 2
fee in: base

start at 100
buy signal
buy signal
sell signal
then 2 deals, 0 open
"""


@pytest.fixture
async def books(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "story.txt").write_text(STORY)
    await tell(tmp_path / "story.txt", tmp_path)
    return tmp_path / "story.sqlite", tmp_path / "story.paper-exchange.sqlite"


def test_untouched_books_are_whole(books: tuple[Path, Path]) -> None:
    assert differences(*books) == []


@pytest.mark.parametrize(
    ("whose", "change", "found"),
    [
        ("store", "DELETE FROM fills WHERE id = '1'", "trade ('ADA/USDT', '1') is not in the store"),
        ("store", "UPDATE fills SET price = '99' WHERE id = '2'", "trade ('ADA/USDT', '2'): price is 99"),
        ("store", "UPDATE positions SET dust = '7' WHERE rowid = 1", "journal: "),
        ("store", "UPDATE positions SET received = '7' WHERE rowid = 1", "USDT: "),
        ("store", "UPDATE orders SET state = 'working' WHERE rowid = 1", "is still working"),
        ("exchange", "UPDATE balances SET free = '1' WHERE currency = 'ADA'", "exchange: ADA: total 1"),
        ("exchange", "UPDATE orders SET filled = '0.5' WHERE number = 1", "0.5 at the exchange"),
        (
            "exchange",
            "INSERT INTO orders SELECT 99, client_order_id, symbol, side, type, amount, price, fee_rate,"
            " fee_in_base, lock_per_unit, created_at_ms, status, filled, reason, ended_at_ms"
            " FROM orders WHERE number = 1",
            "is 2 times in the exchange's book",
        ),
        (
            "exchange",
            "UPDATE orders SET client_order_id = 'stranger' WHERE number = 1",
            "order stranger is at the exchange and not in the store",
        ),
        ("exchange", "UPDATE orders SET status = 'open' WHERE number = 1", "still rests at the exchange"),
    ],
)
def test_a_change_behind_the_back_is_found(
    books: tuple[Path, Path], whose: str, change: str, found: str
) -> None:
    with closing(sqlite3.connect(books[whose == "exchange"], isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for (trigger,) in triggers:
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(change)
    assert any(found in difference for difference in differences(*books)), differences(*books)
