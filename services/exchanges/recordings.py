"""Recorded markets: CSV files of bars or trades, also gzipped, checked while read, in bounded memory.

A bar file's header is `timestamp,symbol,open,high,low,close,volume`, the timestamp being the bar's open; a
trade file's is `timestamp,symbol,id,side,price,amount`. Times are milliseconds UTC, prices stay their text.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import IO, TypeVar, cast

from services.exchanges.recording_faults import COLUMNS, RecordingError, row_fault

BARS, TRADES = "bars", "trades"

Bar = tuple[int, str, str, str, str, str, str]
"""Time in ms, symbol, open, high, low, close, volume."""
Trade = tuple[int, str, str, str, str, str]
"""Time in ms, symbol, id, the taker's side, price, amount."""

_BLOCK_BYTES = 1 << 16
_UNUSUAL = ("_", "+", *(chr(code) for code in range(33) if code != 10))
_Row = TypeVar("_Row", Bar, Trade)
Fingerprint = tuple[int, int, int]


class RecordedFile:
    """One open file. Its rows can be read once; `line` is the last one that was read, the header is 1."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.line = 1
        self._strict = False
        self.is_known_good = False
        """It was read to its end before and is unchanged: its rows need not be checked again."""
        try:
            self._file = _open(self.path)
            self.fingerprint = fingerprint_of(self.path)
            header = self._file.readline().decode("utf-8-sig", "replace").strip()
        except (OSError, EOFError, zlib.error) as error:
            raise RecordingError(self.path, 1, "file", self.path.name, f"cannot be read: {error}") from error
        kinds = {",".join(columns): kind for kind, columns in COLUMNS.items()}
        if header not in kinds:
            self._file.close()
            raise self.error("header", header[:200], f"must be {' or '.join(kinds)}")
        self.kind = kinds[header]

    def bars(self) -> Iterator[Bar]:
        return self._good_bars() if self.is_known_good else self._checked_bars()

    def _good_bars(self) -> Iterator[Bar]:
        for line in self._lines():
            self.line += 1
            at, symbol, open_, high, low, close, volume = line.split(",")
            yield int(at), symbol, open_, high, low, close, volume

    def _checked_bars(self) -> Iterator[Bar]:
        previous_ms, bar_ms_of = -1, dict[str, int]()
        for line in self._lines():
            self.line += 1
            fields = line.split(",")
            try:
                at, symbol, open_, high, low, close, volume = fields
                at_ms, top, bottom = int(at), float(high), float(low)
                good = (
                    0.0 < bottom <= float(open_) <= top < inf
                    and bottom <= float(close) <= top
                    and 0.0 <= float(volume) < inf
                    and at_ms >= previous_ms
                )
            except ValueError:
                raise self._row_error(fields, previous_ms) from None
            last_ms = bar_ms_of.get(symbol)
            if not good or last_ms is None or self._strict:
                self._check_row(fields, previous_ms)
            if last_ms == at_ms:
                raise self.error("timestamp", at, f"a second bar of {symbol} at this time")
            bar_ms_of[symbol] = previous_ms = at_ms
            yield at_ms, symbol, open_, high, low, close, volume

    def trades(self) -> Iterator[Trade]:
        previous_ms, known = -1, set[str]()
        for line in self._lines():
            self.line += 1
            fields = line.split(",")
            try:
                at, symbol, id_, side, price, amount = fields
                at_ms = int(at)
                good = (
                    0.0 < float(price) < inf
                    and 0.0 < float(amount) < inf
                    and (side == "buy" or side == "sell")
                    and at_ms >= previous_ms
                )
            except ValueError:
                raise self._row_error(fields, previous_ms) from None
            if not good or symbol not in known or self._strict:
                self._check_row(fields, previous_ms)
                known.add(symbol)
            previous_ms = at_ms
            yield at_ms, symbol, id_, side, price, amount

    def error(self, column: str, value: str, rule: str) -> RecordingError:
        return RecordingError(self.path, self.line, column, value, rule)

    def close(self) -> None:
        self._file.close()

    def _check_row(self, fields: Sequence[str], previous_ms: int) -> None:
        """The quick test let a row through that may still be bad: a new symbol, or unusual characters."""
        if row_fault(self.kind, fields) or int(fields[0]) < previous_ms:
            raise self._row_error(fields, previous_ms)

    def _row_error(self, fields: Sequence[str], previous_ms: int) -> RecordingError:
        fault = row_fault(self.kind, fields)
        if fault is None:
            fault = "timestamp", fields[0], f"must not be before the row above, {previous_ms}"
        return self.error(*fault)

    def _lines(self) -> Iterator[str]:
        rest = b""
        try:
            with self._file:
                while block := self._file.read(_BLOCK_BYTES):
                    whole, newline, rest_of_block = (rest + block).rpartition(b"\n")
                    rest = rest_of_block
                    if newline:
                        yield from self._split(whole)
        except (OSError, EOFError, zlib.error) as error:
            self.line += 1
            raise self.error("file", self.path.name, f"cannot be read further: {error}") from error
        if rest.strip():
            yield from self._split(rest)

    def _split(self, block: bytes) -> list[str]:
        """Whole lines. Python takes `1_000`, ` 1` and foreign digits for numbers: such rows are checked."""
        text = block.decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\r")
        self._strict = not text.isascii() or any(mark in text for mark in _UNUSUAL)
        return text.split("\n")


def fingerprint_of(path: Path) -> Fingerprint:
    """Changes when the file does: its number, its size, and when it was written."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_bars(
    paths: Sequence[str | Path], known_good: Mapping[Path, Fingerprint] = MappingProxyType({})
) -> Iterator[Bar]:
    """The bars of all files by time; a bar that two files have is refused.

    A file that is as it was when it was found good, by its fingerprint, is not checked row by row again.
    """
    files = _files(paths, BARS)
    for file in files:
        file.is_known_good = known_good.get(file.path) == file.fingerprint
    if len(files) == 1:
        yield from files[0].bars()
        return
    bar_ms_of: dict[str, int] = {}
    for file, bar in _merged([(file, file.bars()) for file in files]):
        if bar_ms_of.get(bar[1]) == bar[0]:
            raise file.error("timestamp", str(bar[0]), f"another file has a bar of {bar[1]} at this time")
        bar_ms_of[bar[1]] = bar[0]
        yield bar


def read_trades(paths: Sequence[str | Path]) -> Iterator[Trade]:
    """The trades of all files by time; those of one millisecond keep their order within a file."""
    files = _files(paths, TRADES)
    if len(files) == 1:
        yield from files[0].trades()
        return
    for _, trade in _merged([(file, file.trades()) for file in files]):
        yield trade


def _files(paths: Sequence[str | Path], kind: str) -> list[RecordedFile]:
    files = [RecordedFile(path) for path in paths]
    for file in files:
        if file.kind != kind:
            for opened in files:
                opened.close()
            raise file.error("header", file.kind, f"bars and trades do not mix; the other files have {kind}")
    return files


def _merged(
    sources: Sequence[tuple[RecordedFile, Iterator[_Row]]],
) -> Iterator[tuple[RecordedFile, _Row]]:
    """By time, then by the order of the files. A file is read on only when its row was used."""
    heads = [(row[0], place, row) for place, (_, rows) in enumerate(sources) if (row := next(rows, None))]
    heapify(heads)
    while heads:
        _, place, row = heads[0]
        file, rows = sources[place]
        yield file, row
        following = next(rows, None)
        if following is None:
            heappop(heads)
        else:
            heapreplace(heads, (following[0], place, following))


def _open(path: Path) -> IO[bytes]:
    file = path.open("rb")
    if file.peek(2).startswith(b"\x1f\x8b"):
        file.close()
        return cast(IO[bytes], gzip.open(path))
    return file
