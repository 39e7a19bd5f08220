"""The fold at any past moment is what the state tables said then, and at the last moment what they say now."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dirigent.explaining.story import money
from fsm.records import Fill, Record
from fsm.values import MONEY, ZERO
from persistence.past import NoSuchMoment, PastBooks, Wish, books_at
from persistence.standing import RunningTotals
from persistence.store import SqliteStore
from persistence.story import story
from persistence.subjects import FILL_CODEC, FILL_SELECT, SUBJECT_TABLES
from tests.persistence.deals import History, pair, stored_deal
from tests.scenarios.stage import Stage
from tests.scenarios.story import read_story

Tables = dict[str, dict[str, Record]]

_HEADERS = st.fixed_dictionaries(
    {
        "order type": st.sampled_from(("market", "limit")),
        "fee in": st.sampled_from(("quote", "base")),
        "max deals": st.sampled_from(("1", "3")),
        "take profit": st.sampled_from(("off", "3 %")),
        "stop loss": st.sampled_from(("off", "4 %")),
        "cooldown": st.sampled_from(("0 s", "5 s")),
    }
)
_HAPPENINGS = st.one_of(
    st.decimals(Decimal(90), Decimal(110), places=1).map(lambda price: f"gap to {price}"),
    st.sampled_from(
        (
            "buy signal",
            "buy signal",
            "sell signal",
            "thin book 0.03",
            "frozen for 4 s",
            "reject the next order",
            "lose the next answer",
            "restart",
        )
    ),
)


def tables_of(path: Path) -> tuple[int, Tables]:
    """The number of the last entry, and every record as it is stored now."""
    with closing(sqlite3.connect(path)) as connection:
        seq = connection.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0]
        tables: Tables = {}
        for machine, table in SUBJECT_TABLES.items():
            records = [table.codec.decode(row) for row in connection.execute(table.select)]
            tables[machine] = {record.subject_id: record for record in records}
    return seq, tables


def folded(books: PastBooks) -> dict[str, Any]:
    return {
        "pair": books.pairs,
        "permission": books.permissions,
        "position": books.positions,
        "order": books.orders,
    }


async def live_through(path: Path, directory: Path) -> tuple[Path, list[tuple[int, Tables]]]:
    """The story's database, and what its tables were after each step."""
    told = read_story(path)
    async with Stage(told.terms, directory) as stage:
        snapshots = []
        for step in told.steps:
            if not step.is_claim:
                await getattr(stage, step.verb)(**step.places)
                snapshots.append(tables_of(stage.database))
        return stage.database, snapshots


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_HEADERS, st.lists(_HAPPENINGS, min_size=4, max_size=14))
async def test_the_fold_at_any_moment_is_what_the_tables_were(
    headers: dict[str, str], happenings: list[str]
) -> None:
    lines = ["Anything.", *(f"{name}: {value}" for name, value in headers.items()), "start at 100"]
    lines += ["buy signal", "stay for 2 ticks", *happenings, "then the engine's permission is active"]
    with TemporaryDirectory() as name:
        path = Path(name) / "story.txt"
        path.write_text("\n".join(lines))
        database, snapshots = await live_through(path, Path(name))
        for seq, tables in snapshots:
            if seq:
                assert folded(books_at(database, Wish(seq=seq), keep_ended=True)) == tables
        last = books_at(database, Wish(at_ms=2**52, now_ms=2**52), keep_ended=True)
        assert last.moment.is_last
        assert folded(last) == snapshots[-1][1] == tables_of(database)[1]
        _sums_agree(database, last)
        for position_id in last.positions:
            assert money(story(database, position_id))["adds_up"], position_id


def _sums_agree(database: Path, books: PastBooks) -> None:
    """With the other ways to the same sums: those over the position table, and the single fills."""
    with closing(sqlite3.connect(database)) as connection:
        totals = RunningTotals().read(connection)
        fills: list[Fill] = [FILL_CODEC.decode(row) for row in connection.execute(FILL_SELECT)]
    assert fills
    held = books.holdings["ADA"]
    assert {"ADA/USDT": MONEY.add(held.amount, held.dust)} == totals.holdings
    assert {"ADA/USDT": books.holdings["USDT"].amount} == totals.money
    sums = books.trades["ADA/USDT"]
    bought = [fill for fill in fills if fill.side == "buy"]
    assert sums.bought == sum((fill.amount for fill in bought), ZERO)
    assert sums.spent == sum((MONEY.multiply(fill.price, fill.amount) for fill in bought), ZERO)
    assert sums.fee_quote == sum((fill.fee for fill in fills if fill.fee_currency == "USDT"), ZERO)
    assert sums.fee_base == sum((fill.fee for fill in fills if fill.fee_currency == "ADA"), ZERO)


def test_what_had_ended_is_counted_and_listed_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    deal, entry = stored_deal(path)
    with SqliteStore.open(path) as store:
        store.load()
    brief = books_at(path, Wish(seq=3))
    assert set(brief.positions) == {deal.id}
    assert set(brief.orders) == {entry.client_order_id}
    assert brief.counts["position"] == {"ordering": 1}
    before = books_at(path, Wish(seq=1))
    assert (before.positions, before.orders) == ({}, {})
    assert list(before.pairs) == ["BTC/USDT"]


def test_moments_at_which_nothing_is_known_say_what_is(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    SqliteStore.open(path).close()
    with pytest.raises(NoSuchMoment, match="its journal is empty"):
        books_at(path, Wish(at_ms=5, now_ms=9))
    path.unlink()
    stored_deal(path)
    with pytest.raises(NoSuchMoment, match=r"there is no journal entry 4: they go from 1 to 3"):
        books_at(path, Wish(seq=4))
    with pytest.raises(NoSuchMoment, match=r"is in the future; name a moment that has passed"):
        books_at(path, Wish(at_ms=11, now_ms=10))
    with pytest.raises(NoSuchMoment, match=r"1970-01-01T00:00:00.005Z is before the journal's first entry"):
        books_at(path, Wish(at_ms=5, now_ms=2**42))


def test_a_clock_that_was_set_back_does_not_tear_the_fold(tmp_path: Path) -> None:
    """The second entry is dated before the first: the last one written by then counts, with all before it."""
    path, history = tmp_path / "books.sqlite", History()
    born = history.born(pair())
    history.at_ms -= 60_000
    moved = history.moved(born, "signalled")
    with SqliteStore.open(path) as store:
        store.commit(history.take())
    books = books_at(path, Wish(at_ms=history.at_ms + 10, now_ms=2**42))
    assert books.pairs == {moved.symbol: moved}
