"""The dry run: real prices move the paper market, and nothing else does."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.exchanges.live_paper import LivePaper
from services.exchanges.paper import PaperSettings
from services.messages import MarketRules, OrderStatus
from tests.exchanges.venues import RULES, SYMBOL, StillClock, order


class Given:
    """Tickers that the test names, as a real feed hands them out."""

    def __init__(self) -> None:
        self.next: list[dict[str, Any]] = []

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        return {"symbol": symbol, "timestamp": 1_700_000_000_000, **self.next.pop(0)}

    def status(self) -> Sequence[object]:
        return ()

    async def close(self) -> None:
        """Holds nothing."""


def rules(symbol: str) -> MarketRules:
    return {SYMBOL: RULES}[symbol]


@asynccontextmanager
async def dry_run(directory: Path, spread: str = "0") -> AsyncIterator[tuple[LivePaper, Given]]:
    prices = Given()
    settings = PaperSettings(latency_ms=(0, 0), spread=Decimal(spread), slippage=Decimal(0))
    made = LivePaper(
        directory / "paper.sqlite",
        prices=prices,
        symbols=[SYMBOL],
        rules=rules,
        settings=settings,
        clock=StillClock(),
    )
    await made.open()
    try:
        yield made, prices
    finally:
        await made.close()


async def test_a_market_order_fills_at_the_real_ask(tmp_path: Path) -> None:
    async with dry_run(tmp_path) as (venue, prices):
        prices.next = [{"last": "10.00", "bid": "9.99", "ask": "10.03"}]
        assert (await venue.watch_ticker(SYMBOL))["last"] == "10.00"
        report = await venue.create_order(order("buy", "5"))
        assert report.fills[0].price == Decimal("10.03")


async def test_a_resting_order_fills_when_the_real_market_comes_to_it(tmp_path: Path) -> None:
    async with dry_run(tmp_path) as (venue, prices):
        prices.next = [
            {"last": "10.00", "bid": "9.99", "ask": "10.01"},
            {"last": "9.50", "bid": "9.49", "ask": "9.50"},
        ]
        await venue.watch_ticker(SYMBOL)
        assert (await venue.create_order(order("buy", "5", "9.50"))).status is OrderStatus.OPEN
        await venue.watch_ticker(SYMBOL)
        found = await venue.fetch_order("a1", SYMBOL)
        assert found is not None
        assert (found.status, found.fills[0].price) == (OrderStatus.CLOSED, Decimal("9.50"))


async def test_without_bid_and_ask_the_configured_spread_is_laid_around_the_price(tmp_path: Path) -> None:
    async with dry_run(tmp_path, spread="0.01") as (venue, prices):
        prices.next = [{"last": "10.00", "bid": None, "ask": None}]
        await venue.watch_ticker(SYMBOL)
        report = await venue.create_order(order("buy", "5"))
        assert report.fills[0].price == Decimal("10.05")


@pytest.mark.parametrize(
    "broken",
    [
        {"last": None},
        {"last": "NaN"},
        {"last": "-1"},
        {"last": "11", "bid": "12", "ask": "11"},
        {"last": "soon"},
    ],
)
async def test_what_is_no_price_moves_nothing(tmp_path: Path, broken: dict[str, Any]) -> None:
    async with dry_run(tmp_path) as (venue, prices):
        prices.next = [{"last": "10.00"}, broken]
        await venue.watch_ticker(SYMBOL)
        await venue.watch_ticker(SYMBOL)
        report = await venue.create_order(order("buy", "5"))
        assert report.fills[0].price == Decimal("10.00")


async def test_after_a_restart_an_order_waits_for_a_price_of_now(tmp_path: Path) -> None:
    async with dry_run(tmp_path) as (venue, prices):
        prices.next = [{"last": "10.00"}]
        await venue.watch_ticker(SYMBOL)
        await venue.create_order(order("buy", "5"))
    async with dry_run(tmp_path) as (venue, prices):
        assert (await venue.fetch_balance())["ADA"].total == 5
        selling = asyncio.create_task(venue.create_order(order("sell", "5", id_="a2")))
        await asyncio.sleep(0.01)
        assert not selling.done()
        prices.next = [{"last": "20.00"}]
        await venue.watch_ticker(SYMBOL)
        assert (await selling).fills[0].price == Decimal("20.00")


async def test_a_market_that_the_real_exchange_does_not_list_is_not_traded(tmp_path: Path) -> None:
    async with dry_run(tmp_path) as (venue, _):
        assert venue.market(SYMBOL) == RULES
        with pytest.raises(KeyError):
            venue.add_symbol("DOGE/USDT")
        with pytest.raises(KeyError):
            venue.market("DOGE/USDT")
