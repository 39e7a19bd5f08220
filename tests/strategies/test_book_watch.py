"""The order books of a pair are streamed for as long as one of its strategies asks for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dirigent import book_watch, order_books
from dirigent.book_watch import BookWatch
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from services.exchanges.ccxt_exchange.instance import mannered_class
from services.order_book import NOT_HEARD
from services.swapping import Terms
from tests.exchanges.ccxt_exchange.following import feeds_of
from tests.exchanges.ccxt_exchange.streams import until
from tests.strategies.files import weighted
from tests.strategies.imbalance import imbalance
from tests.strategies.trading import PAIR, Trading, choice, trading

ETH = "ETH/USDT"
SOON = Terms(shadow_samples=2, probation_samples=3, by="a test")
QUICK_CROSS: dict[str, object] = {"fast": 2, "slow": 4}
ANY_SHARE: dict[str, object] = {"share": 0.5}


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
        async with feeds_of(exchange) as feeds:
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
    async with feeds_of(exchange) as feeds:
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
    high, low = (Decimal("100.5"), Decimal(2)), (Decimal(9), Decimal(3))
    assert (heard.bids, heard.asks) == ((high, low), (low, high))
    assert asked == [(PAIR, size)]
