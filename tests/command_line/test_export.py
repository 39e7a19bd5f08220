"""The command `export`: every digit of deals and fills in each form, and no file overwritten."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from dirigent.exporting import COLUMNS, MONEY
from persistence import queries
from tests.command_line.books import CLOSED, LONG_PRICE, OPEN
from tests.command_line.running import document, invoke


def exported(database: Path, what: str, form: str, tmp_path: Path) -> list[dict[str, Any]]:
    """The rows as another program reads them, money as Decimal."""
    if form == "json":
        rows: list[dict[str, Any]] = document("export", what, "--format", "json", "--db", database)
    elif form == "csv":
        result = invoke("export", what, "--db", database)
        assert result.exit_code == 0, result.output
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
    else:
        output = tmp_path / f"{what}.parquet"
        result = invoke("export", what, "--format", "parquet", "--output", output, "--db", database)
        assert result.exit_code == 0, result.output
        return list(parquet.read_table(output).to_pylist())
    for row in rows:
        for name, kind in COLUMNS[what].items():
            if kind == MONEY:
                row[name] = Decimal(row[name]) if row[name] else None
    return rows


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize("what", ["deals", "fills"])
def test_every_row_and_every_digit_is_there(database: Path, tmp_path: Path, what: str, form: str) -> None:
    stored = queries.positions(database) if what == "deals" else queries.fills(database)
    rows = exported(database, what, form, tmp_path)
    assert [row["id"] for row in rows] == [row["id"] for row in stored]
    assert list(rows[0]) == list(COLUMNS[what])
    for name, kind in COLUMNS[what].items():
        if kind == MONEY:
            assert [row[name] for row in rows] == [row[name] for row in stored], name
    if what == "fills":
        assert LONG_PRICE in [row["price"] for row in rows]


def test_moments_are_utc_in_every_form(database: Path, tmp_path: Path) -> None:
    (at_ms, *_) = [row["at"] for row in queries.fills(database)]
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    for form in ("csv", "json"):
        assert datetime.fromisoformat(exported(database, "fills", form, tmp_path)[0]["at"]) == moment
    assert exported(database, "fills", "parquet", tmp_path)[0]["at"] == moment


def test_money_in_parquet_is_a_decimal_of_the_usual_scale(database: Path, tmp_path: Path) -> None:
    exported(database, "fills", "parquet", tmp_path)
    schema = parquet.read_schema(tmp_path / "fills.parquet")
    assert schema.field("price").type == pyarrow.decimal256(76, 18)
    assert schema.field("at").type == pyarrow.timestamp("ms", tz="UTC")


def test_a_market_and_a_beginning_choose_rows(database: Path) -> None:
    ids = {row["id"] for row in document("export", "deals", "--format", "json", "--db", database)}
    assert ids == {OPEN, CLOSED}
    of_none = invoke("export", "deals", "--since", "2100-01-01T00:00:00Z", "--db", database)
    assert of_none.stdout.splitlines() == [",".join(COLUMNS["deals"])]
    unknown = invoke("export", "deals", "--symbol", "BTC/USD", "--db", database)
    assert unknown.exit_code == 2
    assert "did you mean BTC/USDT?" in unknown.stderr
    late = document(
        "export", "fills", "--format", "json", "--since", "2100-01-01T00:00:00Z", "--db", database
    )
    assert late == []


def test_a_file_that_exists_is_never_overwritten(database: Path, tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text("mine")
    result = invoke("export", "deals", "--output", tmp_path / "deals.csv", "--db", database)
    assert result.exit_code == 2
    assert (tmp_path / "deals.csv").read_text() == "mine"
    assert invoke("export", "deals", "--output", tmp_path / "no" / "x.csv", "--db", database).exit_code == 2


def test_parquet_needs_a_file(database: Path) -> None:
    result = invoke("export", "fills", "--format", "parquet", "--db", database)
    assert result.exit_code == 2
    assert "--output" in result.stderr


def test_text_goes_to_a_file_as_it_would_to_stdout(database: Path, tmp_path: Path) -> None:
    for form in ("csv", "json"):
        output = tmp_path / f"fills.{form}"
        assert (
            invoke("export", "fills", "--format", form, "--output", output, "--db", database).exit_code == 0
        )
        shown = invoke("export", "fills", "--format", form, "--db", database).stdout
        parse = json.loads if form == "json" else str
        assert parse(output.read_text()) == parse(shown)
