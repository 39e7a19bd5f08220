"""A strategy that asks for the order book gets it, for as long as it asks; where there is none it is told why."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dirigent import book_watch, order_books
from dirigent.book_watch import BookWatch
from dirigent.proofs.death.daemons import Daemon, Place, wait_until
from dirigent.proofs.rehearsed.beside import rehearsing
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from dirigent.strategies_from_files import create
from fsm.commit import StoreError
from persistence import queries
from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.feeds import Feeds
from services.exchanges.ccxt_exchange.instance import mannered_class
from services.indicator_set import IndicatorSet
from services.messages import Tick
from services.order_book import LEVELS_MAX, NOT_HEARD, BookLevels
from services.signal_aggregation import WeightedStrategy
from services.strategies.base import StrategyError
from services.strategies.contract import Subject, examine
from services.strategies.panel import Panel
from services.strategies.series import odd_series
from services.swapping import Terms
from tests.command_line.running import ROOT, invoke
from tests.exchanges.ccxt_exchange.streams import until
from tests.strategies.files import weighted
from tests.strategies.trading import PAIR, Trading, choice, trading

ETH = "ETH/USDT"
SOON = Terms(shadow_samples=2, probation_samples=3, by="a test")
QUICK_CROSS: dict[str, object] = {"fast": 2, "slow": 4}
ANY_SHARE: dict[str, object] = {"share": 0.5}
TICK = Tick(PAIR, 5_000, Decimal(100))


def imbalance(folder: Path, *changes: tuple[str, str]) -> str:
    """Writes the document's own strategy, changed; its name."""
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new, 1)
    (folder / "imbalance.py").write_text(source, encoding="utf-8")
    return f"{folder / 'imbalance.py'}:Imbalance"


def seated(name: str, indicators: IndicatorSet, params: dict[str, object] | None = None) -> Panel:
    panel = Panel(PAIR, indicators)
    panel.seat([WeightedStrategy(create(name, params))])
    return panel


def levels(*amounts: str) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(100), Decimal(amount)) for amount in amounts)


def test_it_votes_on_the_book_and_says_why_it_does_not(tmp_path: Path) -> None:
    indicators = IndicatorSet()
    panel = seated(imbalance(tmp_path), indicators)
    assert not panel.ask(TICK)
    assert panel.account().endswith(NOT_HEARD)
    indicators.book.take(BookLevels(PAIR, levels("1"), levels("3"), 4_000))
    assert not panel.ask(TICK)
    assert panel.account().endswith("bids are 25% of the book")
    indicators.book.take(BookLevels(PAIR, levels("3"), levels("1"), 4_000))
    assert panel.ask(TICK)
    assert not panel.ask(Tick(PAIR, 10_000, Decimal(100)))
    assert panel.account().endswith("the book is 6 s old")
    indicators.book.lose("the stream broke")
    assert not panel.ask(TICK)
    assert panel.account().endswith("the stream broke")


def test_each_sees_as_many_levels_as_it_asked_for_whatever_others_ask() -> None:
    indicators = IndicatorSet()
    few, many = indicators.order_book(1), indicators.order_book(3)
    indicators.book.take(BookLevels(PAIR, levels("1", "2", "3"), levels("4", "5"), 1))
    assert (few.bids, few.asks) == (levels("1"), levels("4"))
    assert (many.bids, many.asks) == (levels("1", "2", "3"), levels("4", "5"))
    assert indicators.book.levels == 3
    indicators.book.release(3)
    assert indicators.book.levels == 1


def test_a_book_is_asked_for_until_the_strategy_leaves_and_is_in_no_checkpoint(tmp_path: Path) -> None:
    indicators = IndicatorSet()
    panel = seated(imbalance(tmp_path), indicators)
    assert (indicators.book.levels, indicators.state(), panel.checkpoint()) == (
        5,
        {},
        {panel.seats[0].key: {}},
    )
    panel.seat([WeightedStrategy(create("macd"))])
    assert indicators.book.levels == 0


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        ("0", "it asks for no order book; set order_book_depth"),
        ("-1", "order_book_depth -1 is no whole number from 0 to 50"),
        (str(LEVELS_MAX + 1), "order_book_depth 51 is no whole number"),
        ("True", "order_book_depth True is no whole number"),
    ],
)
def test_a_depth_that_cannot_be_is_refused_and_nothing_is_asked_for(
    tmp_path: Path, depth: str, words: str
) -> None:
    name = imbalance(tmp_path, ("order_book_depth = 5", f"order_book_depth = {depth}"))
    indicators = IndicatorSet()
    with pytest.raises(StrategyError, match=words):
        seated(name, indicators)
    assert indicators.book.levels == 0


def test_the_contract_is_kept_with_an_empty_book(tmp_path: Path) -> None:
    name = imbalance(tmp_path)
    found = list(examine(Subject(lambda: create(name), odd_series(200), budget_ms=50)))
    assert {finding.clause: finding.fault for finding in found if finding.fault} == {}
    assert any(finding.told == NOT_HEARD for finding in found)


@dataclass
class Watched:
    """An engine whose books come from a rehearsal exchange through ccxt."""

    server: Rehearsal
    engine: Trading
    watch: BookWatch

    def subscribed(self) -> list[str]:
        feeds = self.server.venue.feeds
        return sorted(name for each in self.server.connections for name in feeds.names_of(each))

    @property
    def book(self) -> Any:
        return self.engine.engine.market.indicators(PAIR).book

    async def swap(self, name: str, params: dict[str, object] | None = None) -> None:
        swap = self.engine.swapper.swap(PAIR, weighted(name, params or {}), SOON)
        task = asyncio.create_task(swap)
        await self.engine.play(["100"] * 3)
        ended = await self.engine.ended(task)
        assert ended.taken, ended.because


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    async with Rehearsal(RehearsalSettings(ticks_per_s=20)) as server:
        exchange: Any = mannered_class("binance")({**server.ccxt_options(), "number": str})
        feeds = Feeds(exchange, SystemClock(), stale_after_s=30)
        try:
            await exchange.load_markets()
            pairs = dict.fromkeys((PAIR, ETH), choice("sma_cross", **QUICK_CROSS))
            async with trading(folder / "engine.sqlite", pairs) as engine:
                watch = BookWatch(engine.engine, feeds, "binance")
                keeping = asyncio.create_task(watch.keep())
                try:
                    yield Watched(server, engine, watch)
                finally:
                    keeping.cancel()
                    await asyncio.gather(keeping, return_exceptions=True)
        finally:
            await feeds.close()
            await exchange.close()


async def test_a_swap_begins_the_watching_and_the_next_one_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_watch, "LOOK_S", 0.01)
    before = asyncio.all_tasks()
    async with watched(tmp_path) as here:
        await here.engine.play(["100"] * 3)
        assert not here.subscribed()
        await here.swap(imbalance(tmp_path), ANY_SHARE)
        await until(lambda: bool(here.book.bids))
        assert list(here.watch.tasks) == [PAIR]
        assert [name.partition("@")[0] for name in here.subscribed()] == ["btcusdt"]
        (told,) = order_books.told(here.engine.engine, here.book.at_ms + 1_500)["order_books"]
        assert told["asked_by"] == ["imbalance"]
        assert (told["levels"], told["age_s"], told["fault"]) == (5, 1.5, "")
        first = here.book.bids
        await until(lambda: here.book.bids not in ((), first))
        assert (len(first), len(here.book.bids), len(here.book.asks)) == (5, 5, 5)
        assert here.book.bids[0][0] < here.book.asks[0][0]
        await here.engine.play(["100"])
        assert "of the book" in here.engine.engine.signals.why_not(PAIR)

        await here.swap("sma_cross", QUICK_CROSS)
        assert here.book.levels == 5, "the predecessor may still come back"
        await here.engine.play(["100"] * 4)
        await until(lambda: not here.watch.tasks)
        assert (here.book.bids, here.book.fault) == ((), NOT_HEARD)
        await until(lambda: not here.subscribed())

        await here.swap(imbalance(tmp_path), ANY_SHARE)
        await until(lambda: bool(here.book.bids))
    assert asyncio.all_tasks() == before


async def test_a_book_whose_stream_broke_is_none_until_the_stream_speaks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_watch, "LOOK_S", 0.01)
    async with watched(tmp_path) as here:
        await here.swap(imbalance(tmp_path))
        await until(lambda: bool(here.book.bids))
        for connection in list(here.server.connections):
            connection.cut()
        await until(lambda: here.book.fault not in ("", NOT_HEARD))
        assert (here.book.bids, here.book.asks, here.book.at_ms) == ((), (), 0)
        await until(lambda: bool(here.book.bids))


@pytest.mark.parametrize(("depth", "size"), [(5, 10), (25, 25), (30, 100)])
async def test_the_book_of_an_exchange_that_tells_texts_is_kept_in_the_order_of_its_prices(
    depth: int, size: int
) -> None:
    exchange: Any = mannered_class("kraken")({"number": str})
    feeds = Feeds(exchange, SystemClock(), stale_after_s=30)
    try:
        kept = exchange.order_book({}, depth)
        rows = [
            {"price": price, "qty": amount} for price, amount in (("99", "1"), ("100.5", "2"), ("9", "3"))
        ]
        for side in ("bids", "asks"):
            exchange.custom_handle_deltas(kept[side], [*rows, {"price": "99", "qty": "0"}])
        asked = []

        async def watch_order_book(symbol: str, limit: int | None) -> Any:
            asked.append((symbol, limit))
            return kept

        exchange.watch_order_book = watch_order_book
        heard = await feeds.watch_order_book(PAIR, depth)
    finally:
        await feeds.close()
        await exchange.close()
    high, low = (Decimal("100.5"), Decimal(2)), (Decimal(9), Decimal(3))
    assert (heard.bids, heard.asks) == ((high, low), (low, high))
    assert asked == [(PAIR, size)]


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
            assert any("of the book" in str(row) for row in queries.journal(place.database))
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
