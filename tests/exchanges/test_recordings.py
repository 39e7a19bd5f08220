"""Recorded files: what is read, what is refused and where, and that memory stays bounded."""

import gzip
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from services.exchanges.recording_faults import RecordingError
from services.exchanges.recording_scan import observed_rules, scan
from services.exchanges.recordings import RecordedFile, read_bars, read_trades
from services.messages import MarketRules

BARS = "timestamp,symbol,open,high,low,close,volume"
TRADES = "timestamp,symbol,id,side,price,amount"
SHARED = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode())
    return path


def test_bars_are_read_as_they_stand(tmp_path: Path) -> None:
    path = write(tmp_path / "b.csv", BARS, "1000,ADA/BTC,2,3,1,2.50,10", "1000,ETH/BTC,2e-5,3e-5,1e-5,2e-5,0")
    assert list(read_bars([path])) == [
        (1000, "ADA/BTC", "2", "3", "1", "2.50", "10"),
        (1000, "ETH/BTC", "2e-5", "3e-5", "1e-5", "2e-5", "0"),
    ]


def test_trades_of_one_millisecond_keep_their_order(tmp_path: Path) -> None:
    rows = [f"1000,A/B,{number},buy,{number + 1},1" for number in range(5)]
    path = write(tmp_path / "t.csv", TRADES, *rows)
    assert [trade[2] for trade in read_trades([path])] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("zipped", [False, True])
def test_gzip_line_ends_and_a_byte_order_mark_make_no_difference(
    tmp_path: Path, end: str, zipped: bool
) -> None:
    rows = [f"{number},A/B,,sell,2.{number},3" for number in range(5000)]
    data = b"\xef\xbb\xbf" + end.join([TRADES, *rows]).encode()
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(data) if zipped else data)
    trades = list(read_trades([path]))
    assert len(trades) == 5000
    assert trades[-1] == (4999, "A/B", "", "sell", "2.4999", "3")


def test_several_files_are_merged_by_time(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", BARS, "1,A/B,1,1,1,1,1", "3,A/B,1,1,1,1,1", "9,A/B,1,1,1,1,1")
    second = write(tmp_path / "b.csv", BARS, "2,C/B,1,1,1,1,1", "3,C/B,1,1,1,1,1")
    merged = [(bar[0], bar[1]) for bar in read_bars([first, second])]
    assert merged == [(1, "A/B"), (2, "C/B"), (3, "A/B"), (3, "C/B"), (9, "A/B")]


def test_a_bar_that_two_files_have_is_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", BARS, "1,A/B,1,1,1,1,1", "3,A/B,1,1,1,1,1")
    second = write(tmp_path / "b.csv", BARS, "2,A/B,1,1,1,1,1", "3,A/B,1,1,1,1,1")
    with pytest.raises(RecordingError, match=r"b\.csv, line 3, column timestamp, value '3': another file"):
        list(read_bars([first, second]))


def test_bars_and_trades_do_not_mix(tmp_path: Path) -> None:
    bars = write(tmp_path / "a.csv", BARS, "1,A/B,1,1,1,1,1")
    trades = write(tmp_path / "b.csv", TRADES, "1,A/B,,buy,1,1")
    with pytest.raises(RecordingError, match=r"b\.csv.*do not mix"):
        list(read_bars([bars, trades]))


GOOD_BAR = "1000,A/B,2,3,1,2,5"
BAD_BARS = [
    ("2000,A/B,2,3,1,2", "row", "must have 7 fields, has 6"),
    ("2000,A/B,2,3,1,2,5,6", "row", "must have 7 fields, has 8"),
    ("", "row", "must have 7 fields, has 1"),
    ("soon,A/B,2,3,1,2,5", "timestamp", "whole milliseconds"),
    ("2000.5,A/B,2,3,1,2,5", "timestamp", "whole milliseconds"),
    ("-2000,A/B,2,3,1,2,5", "timestamp", "whole milliseconds"),
    ("2_000,A/B,2,3,1,2,5", "timestamp", "whole milliseconds"),
    ("2000,AB,2,3,1,2,5", "symbol", "must be base/quote"),
    ("2000,A/B,x,3,1,2,5", "open", "finite decimal number"),
    ("2000,A/B,2,1_0,1,2,5", "high", "finite decimal number"),
    ("2000,A/B,2,inf,1,2,5", "high", "finite decimal number"),
    ("2000,A/B,2,3,nan,2,5", "low", "finite decimal number"),
    ("2000,A/B,2,3,-1,2,5", "low", "finite decimal number"),
    ("2000,A/B,2,3,1, 2,5", "close", "finite decimal number"),
    ("2000,A/B,2,3,1,٢,5", "close", "finite decimal number"),
    ("2000,A/B,2,3,1,2,-5", "volume", "finite decimal number"),
    ("2000,A/B,0,3,0,2,5", "open", "above zero"),
    ("2000,A/B,2,1,3,2,5", "high", "must not be below the low 3"),
    ("2000,A/B,4,3,1,2,5", "open", "between the low 1 and the high 3"),
    ("2000,A/B,2,3,1,0.5,5", "close", "between the low 1 and the high 3"),
    ("999,A/B,2,3,1,2,5", "timestamp", "must not be before the row above, 1000"),
    ("1000,A/B,2,3,1,2,5", "timestamp", "a second bar of A/B at this time"),
]


@pytest.mark.parametrize(("row", "column", "rule"), BAD_BARS)
def test_a_bad_bar_is_named_with_file_line_column_value_and_rule(
    tmp_path: Path, row: str, column: str, rule: str
) -> None:
    path = write(tmp_path / "bad.csv", BARS, GOOD_BAR, row, "3000,A/B,2,3,1,2,5")
    with pytest.raises(RecordingError) as refused:
        list(read_bars([path]))
    assert (refused.value.path, refused.value.line, refused.value.column) == (path, 3, column)
    assert rule in refused.value.rule
    assert refused.value.value in row or column == "row"
    with pytest.raises(RecordingError, match="line 3"):
        scan(path)


BAD_TRADES = [
    ("2000,A/B,7,buy,1", "row", "must have 6 fields"),
    ("2000,A/B,7,hold,1,1", "side", "must be buy or sell"),
    ("2000,A/B,7,buy,0,1", "price", "above zero"),
    ("2000,A/B,7,buy,NaN,1", "price", "finite decimal number"),
    ("2000,A/B,7,buy,1,0", "amount", "above zero"),
    ("2000,A/B,7,buy,1,-1", "amount", "finite decimal number"),
    ("500,A/B,7,buy,1,1", "timestamp", "must not be before"),
]


@pytest.mark.parametrize(("row", "column", "rule"), BAD_TRADES)
def test_a_bad_trade_is_named(tmp_path: Path, row: str, column: str, rule: str) -> None:
    path = write(tmp_path / "bad.csv", TRADES, "1000,A/B,6,buy,1,1", row)
    with pytest.raises(RecordingError) as refused:
        list(read_trades([path]))
    assert (refused.value.line, refused.value.column) == (3, column)
    assert rule in refused.value.rule


def test_a_wrong_header_an_empty_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="line 1, column header, value 'time,price'"):
        RecordedFile(write(tmp_path / "h.csv", "time,price"))
    with pytest.raises(RecordingError, match="column header, value ''"):
        RecordedFile(write(tmp_path / "e.csv", end=""))
    with pytest.raises(RecordingError, match="cannot be read"):
        RecordedFile(tmp_path / "missing.csv")
    with pytest.raises(RecordingError, match="no rows"):
        scan(write(tmp_path / "n.csv", BARS))


def test_a_gzip_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    rows = [f"{number},A/B,{number},sell,2.{number * 7919 % 10007},3" for number in range(20_000)]
    whole = gzip.compress("\n".join([TRADES, *rows]).encode())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="cannot be read further"):
        list(read_trades([path]))


def test_a_scan_lists_symbols_and_finds_their_steps(tmp_path: Path) -> None:
    path = write(
        tmp_path / "b.csv",
        BARS,
        "1,A/B,1.5,1.5,1,1.25,10",
        "1,C/B,3e-7,3e-7,3e-7,3e-7,1.5",
        "5,A/B,1,1,1,1,2",
    )
    recording = scan(path)
    assert (recording.kind, recording.rows, recording.first_ms, recording.last_ms) == ("bars", 3, 1, 5)
    assert {symbol: found.rows for symbol, found in recording.symbols.items()} == {"A/B": 2, "C/B": 1}
    assert observed_rules([recording]) == {
        "A/B": MarketRules("A/B", Decimal(1), Decimal("0.01"), amount_min=Decimal(1)),
        "C/B": MarketRules("C/B", Decimal("0.1"), Decimal("1E-7"), amount_min=Decimal("0.1")),
    }


def test_reading_needs_the_same_memory_for_a_long_file(tmp_path: Path) -> None:
    rows = (f"{number},A/B,{number},sell,2.{number % 100},3" for number in range(100_000))
    path = write(tmp_path / "long.csv", TRADES, *rows)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_trades([path])) == 100_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size


@pytest.mark.skipif(not SHARED.is_dir(), reason="no recorded market data beside the checkout")
def test_real_recordings_are_whole() -> None:
    bars = scan(SHARED / "ohlcv_5m_10pairs_btc_2018-01.csv.gz")
    assert (bars.kind, bars.rows, len(bars.symbols)) == ("bars", 57_546, 10)
    trades = scan(SHARED / "trades_xrp_eth_2019-10.csv.gz")
    assert (trades.kind, trades.rows, list(trades.symbols)) == ("trades", 12_477, ["XRP/ETH"])
