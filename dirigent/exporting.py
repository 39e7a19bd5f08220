"""Rows as files for other programs: CSV, JSON or Parquet, money exact in each, moments in UTC."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirigent.output import Row, plain, print_json_stream

if TYPE_CHECKING:
    import pyarrow

TEXT, MONEY, MOMENT = "text", "money", "moment"

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "deals": {
        "id": TEXT,
        "symbol": TEXT,
        "state": TEXT,
        "strategy": TEXT,
        "created_at": MOMENT,
        "opened_at": MOMENT,
        "closed_at": MOMENT,
        "bought": MONEY,
        "spent": MONEY,
        "entry_price": MONEY,
        "sold": MONEY,
        "received": MONEY,
        "exit_price": MONEY,
        "fee_base": MONEY,
        "fee_quote": MONEY,
        "quantity": MONEY,
        "dust": MONEY,
        "realized_pnl": MONEY,
        "exit_reason": TEXT,
        "reason": TEXT,
    },
    "fills": {
        "at": MOMENT,
        "id": TEXT,
        "client_order_id": TEXT,
        "symbol": TEXT,
        "side": TEXT,
        "amount": MONEY,
        "price": MONEY,
        "fee": MONEY,
        "fee_currency": TEXT,
    },
}
"""Of each table the columns in their order, and what each holds."""

_PRECISION = 76
"""Digits of Parquet's widest decimal."""
_USUAL_SCALE = 18
"""Decimals of every money column, unless a value has more: files of several days then fit together."""


def write(rows: Sequence[Row], columns: Mapping[str, str], form: str, output: Path | None) -> None:
    """To a new file, which appears whole, or to stdout. Raises OSError when it cannot be written."""
    if form == "parquet":
        assert output is not None
        _to_file(output, _parquet(rows, columns))
    elif output is not None:
        _to_file(output, _text(rows, columns, form).encode())
    elif form == "json":
        print_json_stream(_chosen(rows, columns))
    else:
        click.echo(_csv(rows, columns), nl=False)


def _to_file(output: Path, content: bytes) -> None:
    draft = output.with_name(output.name + ".new")
    try:
        draft.write_bytes(content)
        os.link(draft, output)
    finally:
        draft.unlink(missing_ok=True)


def _text(rows: Sequence[Row], columns: Mapping[str, str], form: str) -> str:
    if form == "csv":
        return _csv(rows, columns)
    import json

    return json.dumps(plain(_chosen(rows, columns)), indent=2) + "\n"


def _chosen(rows: Sequence[Row], columns: Mapping[str, str]) -> list[Row]:
    return [{name: row.get(name) for name in columns} for row in rows]


def _csv(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    for row in rows:
        values = (plain(row.get(name), name) for name in columns)
        lines.writerow(["" if value is None else value for value in values])
    return text.getvalue()


def _parquet(rows: Sequence[Row], columns: Mapping[str, str]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    arrays = {
        name: _array([row.get(name) for row in rows], kind, pyarrow.timestamp("ms", tz="UTC"))
        for name, kind in columns.items()
    }
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays), sink)
    return sink.getvalue()


def _array(values: list[Any], kind: str, moment: "pyarrow.DataType") -> "pyarrow.Array[Any]":
    import pyarrow

    if kind == MOMENT:
        return pyarrow.array([value or None for value in values], type=moment)
    if kind == MONEY:
        return pyarrow.array(values, type=_decimal(values))
    return pyarrow.array([None if value is None else str(value) for value in values], type=pyarrow.string())


def _decimal(values: Sequence[Decimal | None]) -> "pyarrow.DataType":
    """Wide enough for every digit of every value: the usual scale, or that of the finest value."""
    import pyarrow

    scale = max((_decimals(value) for value in values if value is not None), default=0)
    return pyarrow.decimal256(_PRECISION, max(scale, _USUAL_SCALE))


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "money is a number"
    return max(-exponent, 0)
