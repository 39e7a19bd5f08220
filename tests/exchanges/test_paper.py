"""The paper exchange keeps its book in a file, goes on where it was, and refuses foreign files."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from services.exchanges.listings import listing
from services.exchanges.paper import PaperExchange, PaperSettings
from services.exchanges.paper_file import ExchangeFileError, audit
from services.exchanges.price_point import PricePoint
from services.messages import Balance, OrderRefused, OrderStatus, QueryFailed
from tests.exchanges.venues import (
    RULES,
    SYMBOL,
    StillClock,
    Story,
    StoryPrices,
    order,
    paper_settings,
    still,
)

STILL = paper_settings(Story([], fee_in="quote"))
FAST = replace(STILL, seed=5, spread=Decimal("0.0002"), rules={})


def paper(
    path: Path, settings: PaperSettings | None = None, points: list[PricePoint | None] | None = None
) -> PaperExchange:
    prices = None if points is None else StoryPrices(points)
    settings = settings or (FAST if points is None else STILL)
    return PaperExchange(path, symbols=[SYMBOL], settings=settings, clock=StillClock(), prices=prices)


async def test_a_ticker_is_a_ccxt_structure_with_numbers_as_strings(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite")
    await exchange.open()
    ticker = await exchange.watch_ticker(SYMBOL)
    await exchange.close()
    assert (ticker["symbol"], ticker["timestamp"]) == (SYMBOL, 1_700_000_000_000)
    assert ticker["datetime"] == "2023-11-14T22:13:20.000Z"
    assert Decimal(ticker["bid"]) < Decimal(ticker["last"]) < Decimal(ticker["ask"])
    assert all(isinstance(ticker[name], str) for name in ("bid", "ask", "last", "close"))


async def test_book_balances_and_market_go_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    first = paper(path)
    await first.open()
    await first.create_order(order("sell", "5", "900", id_="resting"))
    await first.create_order(order("buy", "50", id_="filled"))
    last = [await first.watch_ticker(SYMBOL) for _ in range(100)][-1]
    held, filled = await first.fetch_balance(), await first.fetch_order("filled", SYMBOL)
    await first.close()

    second = paper(path, replace(FAST, balances={"USDT": Decimal(1)}))
    await second.open()
    assert await second.fetch_balance() == held
    assert [report.client_order_id for report in await second.fetch_open_orders()] == ["resting"]
    assert await second.fetch_order("filled", SYMBOL) == filled
    following = await second.watch_ticker(SYMBOL)
    assert abs(Decimal(following["last"]) / Decimal(last["last"]) - 1) < Decimal("0.02")
    fresh = await second.create_order(order("buy", "50", id_="after"))
    await second.close()
    found = audit(path)
    assert found.differences() == []
    assert len({fill.id for fill in found.fills}) == len(found.fills) == 2
    assert fresh.exchange_order_id == "3"


async def test_a_restart_changes_none_of_the_prices_that_follow(tmp_path: Path) -> None:
    async def lasts(exchange: PaperExchange) -> list[str]:
        return [(await exchange.watch_ticker(SYMBOL))["last"] for _ in range(20)]

    whole, cut = paper(tmp_path / "whole.sqlite"), paper(tmp_path / "cut.sqlite")
    await whole.open()
    await cut.open()
    expected = await lasts(whole) + await lasts(whole)
    before = await lasts(cut)
    await cut.close()
    resumed = paper(tmp_path / "cut.sqlite")
    await resumed.open()
    assert before + await lasts(resumed) == expected
    await resumed.close()
    await whole.close()


async def test_an_open_order_keeps_the_terms_it_was_accepted_under(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    first = paper(path, points=[still("10")])
    await first.open()
    await first.create_order(order("buy", "10", "9"))
    await first.close()
    second = paper(path, replace(STILL, fee=Decimal("0.5")), [still("8")])
    await second.open()
    await second.watch_ticker(SYMBOL)
    report = await second.fetch_order("a1", SYMBOL)
    await second.close()
    assert report is not None
    assert [fill.fee for fill in report.fills] == [Decimal("0.090")]
    assert audit(path).differences() == []


async def test_a_frozen_feed_gives_no_ticker_until_a_price_comes(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite", points=[still("10"), None, None, still("11")])
    await exchange.open()
    assert (await exchange.watch_ticker(SYMBOL))["last"] == "11"
    await exchange.close()


async def test_a_gap_fills_a_resting_order_at_the_better_price(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite", points=[still("10"), still("7", gap=True)])
    await exchange.open()
    await exchange.create_order(order("buy", "1", "9"))
    await exchange.watch_ticker(SYMBOL)
    (accepted, filled) = await exchange.watch_orders()
    await exchange.close()
    assert (accepted.status, filled.fills[0].price) == (OrderStatus.OPEN, Decimal(7))


async def test_no_market_order_is_taken_before_the_first_price(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite", points=[None])
    await exchange.open()
    with pytest.raises(OrderRefused, match="has no price yet"):
        await exchange.create_order(order("buy", "1"))
    await exchange.close()


async def test_ticks_are_paced(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite", replace(FAST, ticks_per_s=50))
    await exchange.open()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(11):
        await exchange.watch_ticker(SYMBOL)
    took = loop.time() - began
    await exchange.close()
    assert took >= 0.199


async def test_a_request_and_its_answer_take_the_latency_each(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite", replace(FAST, latency_ms=(30, 30)))
    await exchange.open()
    loop = asyncio.get_running_loop()
    began = loop.time()
    sending = asyncio.create_task(exchange.create_order(order("buy", "50")))
    await asyncio.sleep(0.005)
    assert audit(tmp_path / "x.sqlite").orders == []
    await sending
    assert loop.time() - began >= 0.059
    assert exchange.late_arrival_ms == 30
    await exchange.close()


async def test_an_order_whose_answer_was_lost_is_in_the_book(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite", replace(FAST, latency_ms=(20, 20)))
    await exchange.open()
    sending = asyncio.create_task(exchange.create_order(order("buy", "50")))
    async with asyncio.timeout(5):
        while not audit(tmp_path / "x.sqlite").orders:  # noqa: ASYNC110 - the file is the only witness
            await asyncio.sleep(0.001)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    async with asyncio.timeout(5):
        pushed = await exchange.watch_orders()
    assert await exchange.fetch_order("a1", SYMBOL) == pushed[-1]
    await exchange.close()


async def test_a_closed_exchange_answers_nothing_and_takes_nothing(tmp_path: Path) -> None:
    exchange = paper(tmp_path / "x.sqlite", replace(FAST, latency_ms=(20, 20)))
    await exchange.open()
    sending = asyncio.create_task(exchange.create_order(order("buy", "50")))
    await asyncio.sleep(0)
    await exchange.close()
    with pytest.raises(QueryFailed):
        await sending
    assert audit(tmp_path / "x.sqlite").orders == []


async def test_when_the_file_fails_memory_goes_back_to_what_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    exchange = paper(path)
    await exchange.open()
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TRIGGER fault BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        other.commit()
        with pytest.raises(ExchangeFileError, match="disk full"):
            await exchange.create_order(order("buy", "50"))
        assert (await exchange.fetch_balance())["USDT"] == Balance(Decimal(1000))
        assert await exchange.fetch_order("a1", SYMBOL) is None
        other.execute("DROP TRIGGER fault")
        other.commit()
    report = await exchange.create_order(order("buy", "50"))
    await exchange.close()
    assert report.status is OrderStatus.CLOSED
    assert audit(path).differences() == []


async def test_a_second_opener_is_refused_and_an_audit_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    first, second = paper(path), paper(path)
    await first.open()
    with pytest.raises(ExchangeFileError, match="another process has this exchange open"):
        await second.open()
    assert audit(path).balances["USDT"] == Balance(Decimal(1000))
    await first.close()
    await second.open()
    await second.close()


def refusal(path: Path) -> str:
    """What an open says that is refused; the file is then as it was."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ExchangeFileError) as refused:
        asyncio.run(paper(path).open())
    assert str(path) in str(refused.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    return str(refused.value)


def test_files_that_are_not_its_own_are_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and long enough to be looked at as if it were one" * 20)
    assert "not a database" in refusal(text)
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE orders (id)")
        connection.commit()
    assert "database of something else" in refusal(foreign)
    assert "No such file or directory" in refusal(tmp_path / "nowhere" / "x.sqlite")
    for path in (text, foreign, tmp_path / "missing.sqlite"):
        with pytest.raises(ExchangeFileError):
            audit(path)


async def fill_the_book(path: Path) -> None:
    exchange = paper(path)
    await exchange.open()
    for number in range(60):
        await exchange.create_order(order("buy", "20", "0.3", id_=f"n{number}"))
    await exchange.close()


def test_a_newer_a_truncated_and_a_falsified_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    asyncio.run(fill_the_book(path))
    good = path.read_bytes()

    path.write_bytes(good[: len(good) // 2])
    assert "malformed" in refusal(path)
    path.write_bytes(good)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "version 99" in refusal(path)
    path.write_bytes(good)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE balances SET used = '0' WHERE currency = 'USDT'")
        connection.commit()
    assert "the open orders lock" in refusal(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_ms", (5, 1)),
        ("ticks_per_s", -1),
        ("spread", Decimal(1)),
        ("balances", {"USDT": Decimal("NaN")}),
    ],
)
def test_settings_out_of_range_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match="balance" if field == "balances" else field):
        replace(PaperSettings(), **{field: value})  # type: ignore[arg-type]


def test_rules_of_single_symbols_can_be_given(tmp_path: Path) -> None:
    assert paper(tmp_path / "x.sqlite", STILL).market(SYMBOL) == RULES
    assert paper(tmp_path / "x.sqlite", FAST).market(SYMBOL) == listing(SYMBOL).rules
