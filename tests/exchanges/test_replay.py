"""A replay walks bars open, low, high, close, fills at honest prices, and skips what cannot matter."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from services.exchanges.recording_faults import RecordingError
from services.exchanges.recording_scan import scan
from services.exchanges.replay import Interest, ReplayExchange
from services.messages import FeedEnded, OrderRefused, OrderStatus
from tests.exchanges.venues import RULES, SYMBOL, order

HEADER = "timestamp,symbol,open,high,low,close,volume"
SHARED = Path(__file__).parents[3] / "shared" / "data"


def replay(
    directory: Path,
    *bars: str,
    balances: Mapping[str, str] | None = None,
    spread: str = "0",
    slippage: str = "0",
    volume_share: str | None = None,
) -> ReplayExchange:
    path = directory / "bars.csv"
    path.write_text("\n".join([HEADER, *bars]) + "\n")
    return ReplayExchange(
        [scan(path)],
        balances={k: Decimal(v) for k, v in (balances or {"USDT": "1000"}).items()},
        fee=Decimal(0),
        spread=Decimal(spread),
        slippage=Decimal(slippage),
        rules={SYMBOL: RULES},
        volume_share=None if volume_share is None else Decimal(volume_share),
    )


def bar(at_ms: int, open_: str, high: str, low: str, close: str, symbol: str = SYMBOL) -> str:
    return f"{at_ms},{symbol},{open_},{high},{low},{close},100"


def seen(exchange: ReplayExchange, tickers: int) -> list[tuple[str, bool]]:
    return [(t["last"], t["info"]["sample"]) for t in (exchange.next_ticker() for _ in range(tickers))]


LEVEL = [bar(number, "10", "11", "9", "10.50") for number in range(1, 9)]


def test_a_symbol_with_nothing_at_stake_yields_its_closes_only(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL[:3])
    assert seen(exchange, 3) == [("10.50", True)] * 3
    with pytest.raises(FeedEnded):
        exchange.next_ticker()
    assert (exchange.rows_read, exchange.rows_total, exchange.now_ms()) == (3, 3, 3)
    assert exchange.last_prices == {SYMBOL: Decimal("10.50")}


async def test_a_waiting_order_opens_the_bar_and_its_end_closes_it_again(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL)
    exchange.next_ticker()
    await exchange.create_order(order("buy", "1", "5"))
    walked = [("10", False), ("9", False), ("11", False), ("10.50", True)]
    assert seen(exchange, 4) == walked
    await exchange.cancel_order("a1", SYMBOL)
    assert seen(exchange, 2) == [("10.50", True)] * 2


def test_a_holding_opens_the_bar_and_dust_does_not(tmp_path: Path) -> None:
    assert len(set(seen(replay(tmp_path, *LEVEL, balances={"ADA": "0.2"}), 4))) == 4
    assert seen(replay(tmp_path, *LEVEL, balances={"ADA": "0.19"}), 2) == [("10.50", True)] * 2


async def test_an_order_sent_at_the_close_fills_at_the_next_open(tmp_path: Path) -> None:
    exchange = replay(tmp_path, LEVEL[0], bar(2, "10.70", "11", "9", "10"))
    exchange.next_ticker()
    accepted = await exchange.create_order(order("buy", "1"))
    assert (accepted.status, accepted.filled) == (OrderStatus.OPEN, Decimal(0))
    assert exchange.take_reports() == []
    exchange.next_ticker()
    (report,) = exchange.take_reports()
    assert report == await exchange.fetch_order("a1", SYMBOL)
    assert (report.status, report.fills[0].price, report.fills[0].at_ms) == (
        OrderStatus.CLOSED,
        Decimal("10.70"),
        2,
    )


@pytest.mark.parametrize(("points", "price"), [(1, "10"), (2, "9"), (3, "11")], ids=["open", "low", "high"])
async def test_a_market_order_sent_inside_a_bar_fills_at_that_point(
    tmp_path: Path, points: int, price: str
) -> None:
    exchange = replay(tmp_path, *LEVEL, balances={"ADA": "5"})
    for _ in range(points):
        exchange.next_ticker()
    report = await exchange.create_order(order("sell", "1"))
    assert [fill.price for fill in report.fills] == [Decimal(price)]


@pytest.mark.parametrize(
    ("points", "price"), [(1, "10"), (2, None), (3, "10.80")], ids=["open", "low", "high"]
)
async def test_a_limit_order_sent_inside_a_bar_gets_no_more_than_its_limit(
    tmp_path: Path, points: int, price: str | None
) -> None:
    exchange = replay(tmp_path, *LEVEL, balances={"ADA": "5"})
    seen(exchange, points)
    report = await exchange.create_order(order("sell", "1", "9.90" if points == 1 else "10.80"))
    assert [str(fill.price) for fill in report.fills] == ([] if price is None else [price])


async def test_an_order_sent_at_the_close_of_a_walked_bar_waits_too(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL, balances={"ADA": "5"})
    seen(exchange, 4)
    assert (await exchange.create_order(order("sell", "1"))).status is OrderStatus.OPEN
    exchange.next_ticker()
    assert [report.fills[0].price for report in exchange.take_reports()] == [Decimal(10)]


async def test_slippage_worsens_a_fill_inside_a_bar(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL, balances={"ADA": "5"}, slippage="0.01")
    seen(exchange, 2)
    report = await exchange.create_order(order("sell", "1"))
    assert report.fills[0].price == Decimal("8.91")


async def test_a_market_order_for_another_symbol_waits_for_that_symbols_next_price(tmp_path: Path) -> None:
    other = "ETH/USDT"
    exchange = replay(
        tmp_path,
        bar(1, "10", "11", "9", "10.50"),
        bar(1, "20", "21", "19", "20", other),
        bar(2, "12", "13", "11", "12"),
        bar(2, "30", "31", "29", "30", other),
        balances={"ADA": "5", "USDT": "1000"},
    )
    seen(exchange, 5 + 2)
    report = await exchange.create_order(order("buy", "10", symbol=other))
    assert report.status is OrderStatus.OPEN
    assert report.filled == 0
    seen(exchange, 3)
    found = await exchange.fetch_order("a1", other)
    assert found is not None
    assert [fill.price for fill in found.fills] == [Decimal(30)]


async def test_a_limit_passed_inside_a_bar_fills_at_the_limit_and_a_gap_at_the_open(tmp_path: Path) -> None:
    bars = [bar(1, "10", "10", "10", "10"), bar(2, "9.80", "10", "9", "9.90"), bar(3, "8", "8", "8", "8")]
    exchange = replay(tmp_path, *bars)
    exchange.next_ticker()
    await exchange.create_order(order("buy", "1", "9.50", id_="inside"))
    await exchange.create_order(order("buy", "1", "8.50", id_="gap"))
    seen(exchange, 5)
    found = [await exchange.fetch_order(id_, SYMBOL) for id_ in ("inside", "gap")]
    assert [report.fills[0].price for report in found if report] == [Decimal("9.50"), Decimal(8)]


async def test_a_bars_volume_bounds_what_fills_at_each_of_its_points(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL, balances={"USDT": "1000"}, volume_share="0.1")
    exchange.next_ticker()
    await exchange.create_order(order("buy", "6", "11"))
    seen(exchange, 4)
    found = await exchange.fetch_order("a1", SYMBOL)
    assert found is not None
    assert [fill.amount for fill in found.fills] == [Decimal("2.5"), Decimal("2.5"), Decimal("1.0")]


async def test_a_spread_is_paid_in_fills_and_no_recorded_price_pretends_to_a_book(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL, spread="0.02")
    assert "bid" not in exchange.next_ticker()
    await exchange.create_order(order("buy", "1"))
    exchange.next_ticker()
    found = await exchange.fetch_order("a1", SYMBOL)
    assert found is not None
    assert [fill.price for fill in found.fills] == [Decimal("10.1")]


async def test_an_awaited_level_is_met_where_the_path_crosses_it_and_not_at_the_extreme(
    tmp_path: Path,
) -> None:
    exchange = replay(tmp_path, *LEVEL, balances={"USDT": "1000", "ADA": "5"})
    exchange.interest = lambda _: Interest((Decimal("9.505"), Decimal("10.80")))
    path = ["10", "9.50", "9.51", "10.80", "10.80", "10.50"]
    assert seen(exchange, 6) == [(price, price == "10.50") for price in path]
    assert seen(exchange, 2)[1] == ("9.50", False)
    sold = await exchange.create_order(order("sell", "1"))
    assert [fill.price for fill in sold.fills] == [Decimal("9.50")]


def test_a_level_that_a_gap_jumped_over_is_told_at_the_open(tmp_path: Path) -> None:
    exchange = replay(tmp_path, LEVEL[0], bar(2, "8", "8.50", "7", "8"))
    exchange.interest = lambda _: Interest((Decimal("9.5"),))
    assert seen(exchange, 5) == [
        ("10", False),
        ("9.50", False),
        ("9.50", False),
        ("10.50", True),
        ("8", False),
    ]


def test_who_follows_every_price_is_told_each_point(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL)
    exchange.interest = lambda _: Interest(follows=True)
    assert [price for price, _ in seen(exchange, 4)] == ["10", "9", "11", "10.50"]


async def test_a_single_symbol_can_be_watched(tmp_path: Path) -> None:
    exchange = replay(tmp_path, bar(1, "1", "1", "1", "1", "ETH/USDT"), bar(2, "2", "2", "2", "2"))
    assert (await exchange.watch_ticker(SYMBOL))["last"] == "2"
    with pytest.raises(FeedEnded):
        await exchange.watch_ticker(SYMBOL)
    with pytest.raises(KeyError):
        await exchange.watch_ticker("XYZ/USDT")


def test_a_file_that_went_bad_after_its_scan_stops_the_replay(tmp_path: Path) -> None:
    exchange = replay(tmp_path, *LEVEL)
    (tmp_path / "bars.csv").write_text("\n".join([HEADER, LEVEL[0], "2,ADA/USDT,1,0.5,1,1,1"]))
    exchange.next_ticker()
    with pytest.raises(RecordingError, match="line 3, column high"):
        exchange.next_ticker()


@pytest.mark.skipif(not SHARED.is_dir(), reason="no recorded market data beside the checkout")
async def test_a_real_recording_replays_the_same_way_twice() -> None:
    path = SHARED / "trades_xrp_eth_2019-10.csv.gz"

    async def play() -> list[object]:
        exchange = ReplayExchange(
            [scan(path)], balances={"ETH": Decimal(10)}, volume_share=Decimal(1), seed=3
        )
        outcome: list[object] = []
        for number in range(10_000):
            ticker = exchange.next_ticker()
            if number % 100 == 50:
                side = "buy" if number % 200 == 50 else "sell"
                request = order(side, "100", id_=f"n{number}", symbol=ticker["symbol"])
                try:
                    await exchange.create_order(request)
                except OrderRefused as refused:
                    outcome.append(str(refused))
            outcome += exchange.take_reports()
        return [*outcome, await exchange.fetch_balance()]

    first = await play()
    assert len(first) > 90
    assert first == await play()
