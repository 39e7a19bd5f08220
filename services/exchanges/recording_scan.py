"""One pass over a recorded file: is it good, which symbols does it hold, and on which steps do they trade."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from services.exchanges.recordings import BARS, Fingerprint, RecordedFile
from services.messages import MarketRules


@dataclass(slots=True)
class SymbolScan:
    """What a file holds of one symbol. The decimals are the most that were seen."""

    first_ms: int
    last_ms: int = 0
    rows: int = 0
    price_decimals: int = 0
    amount_decimals: int = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that was read from end to end and found good."""

    path: Path
    kind: str
    symbols: Mapping[str, SymbolScan] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None
    """Of the file as it was read."""

    @property
    def rows(self) -> int:
        return sum(found.rows for found in self.symbols.values())

    @property
    def first_ms(self) -> int:
        return min(found.first_ms for found in self.symbols.values())

    @property
    def last_ms(self) -> int:
        return max(found.last_ms for found in self.symbols.values())


def scan(path: str | Path) -> Recording:
    """Raises RecordingError at the first bad row, and for a file without rows."""
    file = RecordedFile(path)
    symbols: dict[str, SymbolScan] = {}
    for at_ms, symbol, prices, amount in _bars(file) if file.kind == BARS else _trades(file):
        found = symbols.get(symbol)
        if found is None:
            found = symbols[symbol] = SymbolScan(at_ms)
        found.last_ms = at_ms
        found.rows += 1
        for price in prices:
            if (decimals := _decimals(price)) > found.price_decimals:
                found.price_decimals = decimals
        if (decimals := _decimals(amount)) > found.amount_decimals:
            found.amount_decimals = decimals
    if not symbols:
        raise file.error("row", "", "the file has a header and no rows")
    return Recording(file.path, file.kind, symbols, file.fingerprint)


def observed_rules(recordings: Sequence[Recording]) -> dict[str, MarketRules]:
    """Market rules from what was traded: the finest steps seen, one amount step as the least amount."""
    price_decimals: dict[str, int] = {}
    amount_decimals: dict[str, int] = {}
    for recording in recordings:
        for symbol, found in recording.symbols.items():
            price_decimals[symbol] = max(price_decimals.get(symbol, 0), found.price_decimals)
            amount_decimals[symbol] = max(amount_decimals.get(symbol, 0), found.amount_decimals)
    return {
        symbol: MarketRules(
            symbol=symbol,
            amount_step=Decimal(1).scaleb(-amount_decimals[symbol]),
            price_step=Decimal(1).scaleb(-decimals),
            amount_min=Decimal(1).scaleb(-amount_decimals[symbol]),
        )
        for symbol, decimals in price_decimals.items()
    }


def _bars(file: RecordedFile) -> Iterator[tuple[int, str, tuple[str, ...], str]]:
    for at_ms, symbol, open_, high, low, close, volume in file.bars():
        yield at_ms, symbol, (open_, high, low, close), volume


def _trades(file: RecordedFile) -> Iterator[tuple[int, str, tuple[str, ...], str]]:
    for at_ms, symbol, _, _, price, amount in file.trades():
        yield at_ms, symbol, (price,), amount


def _decimals(number: str) -> int:
    if "e" in number or "E" in number:
        exponent = Decimal(number).as_tuple().exponent
        return max(-exponent, 0) if isinstance(exponent, int) else 0
    point = number.find(".")
    return 0 if point < 0 else len(number) - point - 1
