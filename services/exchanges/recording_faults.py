"""What makes a recorded row bad, said exactly: file, line, column, value and the rule it breaks."""

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

COLUMNS = {
    "bars": ("timestamp", "symbol", "open", "high", "low", "close", "volume"),
    "trades": ("timestamp", "symbol", "id", "side", "price", "amount"),
}

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?|\.[0-9]+([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[0-9]{1,15}")
_SYMBOL = re.compile(r"[^/\s,]+/[^/\s,]+")


class RecordingError(ValueError):
    """A recorded file that is not used; nothing after the fault is read."""

    def __init__(self, path: Path, line: int, column: str, value: str, rule: str) -> None:
        super().__init__(f"{path}, line {line}, column {column}, value {value!r}: {rule}")
        self.path, self.line, self.column, self.value, self.rule = path, line, column, value, rule


Fault = tuple[str, str, str]
"""The column, its value, and the rule it breaks."""


def row_fault(kind: str, fields: Sequence[str]) -> Fault | None:
    """The first fault of a row that can be seen from the row alone, or None. Slow and strict."""
    columns = COLUMNS[kind]
    if len(fields) != len(columns):
        return "row", ",".join(fields), f"must have {len(columns)} fields, has {len(fields)}"
    if not _WHOLE.fullmatch(fields[0]):
        return columns[0], fields[0], "must be whole milliseconds since 1970, UTC"
    if not _SYMBOL.fullmatch(fields[1]):
        return columns[1], fields[1], "must be base/quote, as BTC/USDT"
    if kind == "trades" and fields[3] not in ("buy", "sell"):
        return columns[3], fields[3], "must be buy or sell"
    first = 2 if kind == "bars" else 4
    for column, field in zip(columns[first:], fields[first:], strict=True):
        if not _NUMBER.fullmatch(field):
            return column, field, "must be a finite decimal number that is not negative"
        if not Decimal(field) and column != "volume":
            return column, field, "must be above zero"
    return _shape_fault(fields) if kind == "bars" else None


def _shape_fault(fields: Sequence[str]) -> Fault | None:
    open_, high, low, close = (Decimal(field) for field in fields[2:6])
    if high < low:
        return "high", fields[3], f"must not be below the low {fields[4]}"
    for column, field, price in (("open", fields[2], open_), ("close", fields[5], close)):
        if not low <= price <= high:
            return column, field, f"must lie between the low {fields[4]} and the high {fields[3]}"
    return None
