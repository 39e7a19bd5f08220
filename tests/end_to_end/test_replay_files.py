"""`dirigent replay` over bad files, and over recordings of real markets."""

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from dirigent.proofs.death.daemons import ROOT, Place
from fsm.values import ZERO, base_of
from persistence import queries

DATA = ROOT.parent / "shared" / "data"
HEADER = "timestamp,symbol,open,high,low,close,volume"
MINUTE_MS = 60_000


def row(minute: int, close: str = "100") -> str:
    return f"{minute * MINUTE_MS},ADA/USDT,{close},{close},{close},{close},5"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(1), row(2, "-3"), row(3)], "line 3, column open, value '-3': must be a finite decimal number"),
        ([row(1), row(2, "nan"), row(3)], "line 3, column open, value 'nan'"),
        ([row(1), row(2)[:-2], row(3)], "line 3, column row"),
        ([row(1), row(3), row(2)], "line 4, column timestamp"),
        ([row(1), row(2), row(2)], "line 4, column timestamp"),
        ([row(1), "soon" + row(2)[6:], row(3)], "line 3, column timestamp, value 'soon"),
    ],
    ids=["negative price", "not a number", "missing field", "unsorted", "duplicated", "broken time"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_a_bad_file_is_refused_with_its_line_and_nothing_is_written(
    tmp_path: Path, rows: list[str], message: str, packed: bool
) -> None:
    text = "\n".join([HEADER, *rows]) + "\n"
    name = "bars.csv.gz" if packed else "bars.csv"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    refused = Place(tmp_path).run("replay", name)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert f"refused: {name}, {message}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_fault_at_the_very_end_is_still_a_refusal(tmp_path: Path) -> None:
    rows = [row(minute, str(100 + minute % 7)) for minute in range(1, 3000)]
    (tmp_path / "bars.csv").write_text("\n".join([HEADER, *rows, row(2999)]) + "\n")
    refused = Place(tmp_path).run("replay", "bars.csv")
    assert refused.returncode == 2
    assert "line 3001, column timestamp" in refused.stderr
    assert refused.stdout == ""


def held_by_fills(database: Path) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for fill in queries.fills(database):
        bought = fill["amount"] if fill["side"] == "buy" else -fill["amount"]
        in_base = fill["fee_currency"] == base_of(fill["symbol"])
        held[fill["symbol"]] = held.get(fill["symbol"], ZERO) + bought - (fill["fee"] if in_base else ZERO)
    return held


def held_by_positions(database: Path) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for position in queries.positions(database):
        if position["bought"]:
            symbol = position["symbol"]
            held[symbol] = held.get(symbol, ZERO) + position["quantity"] + position["dust"]
    return held


THREE_PAIRS = "".join(
    f'[[pairs]]\nsymbol = "{symbol}"\nstrategy = "sma_cross"\ndeal_quota = "0.05"\nstop_loss = "0.03"\n'
    for symbol in ("ETH/BTC", "ADA/BTC", "TRX/BTC")
)


@pytest.mark.parametrize(
    ("name", "configuration"),
    [
        ("ohlcv_5m_10pairs_btc_2018-01.csv.gz", f'[paper]\nbalances = {{ BTC = "10" }}\n{THREE_PAIRS}'),
        ("trades_xrp_eth_2019-10.csv.gz", None),
    ],
    ids=["bars of three pairs", "trades by defaults"],
)
def test_a_recording_of_a_real_market_is_played_and_its_books_verify(
    tmp_path: Path, name: str, configuration: str | None
) -> None:
    recording = DATA / name
    if not recording.exists():
        pytest.skip(f"the recording {name} is not beside this checkout")
    place = Place(tmp_path)
    if configuration:
        place.configure(configuration)
    report = place.document("replay", str(recording), "--db", "replay.sqlite", patience_s=120)
    assert report["bad_ticks"] == 0
    assert report["deals"] > 0
    assert report["wins"] + report["losses"] == report["deals"]
    assert sum(report["exit_reasons"].values()) == report["deals"]
    if not report["open_at_end"]:
        earned = Decimal(report["equity_at_end"]) - Decimal(report["equity_at_start"])
        assert earned == Decimal(report["profit"])
    database = tmp_path / "replay.sqlite"
    assert held_by_positions(database) == held_by_fills(database)
    verified = place.run("verify", "--db", "replay.sqlite")
    assert verified.returncode == 0, verified.stderr
