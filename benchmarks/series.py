"""A recorded market for measurements: bars of one pair from a seed, the same prices in every run."""

import random
from pathlib import Path

FIRST_MS = 1_700_000_000_000
BAR_MS = 300_000


def write_bars(path: Path, count: int, seed: int = 7, symbol: str = "BTC/USDT") -> None:
    """Bars of a random walk with slow trends, as CSV: timestamp, symbol, open, high, low, close, volume."""
    draw = random.Random(seed)
    price, drift = 30_000.0, 0.0
    with path.open("w", encoding="ascii") as out:
        out.write("timestamp,symbol,open,high,low,close,volume\n")
        for number in range(count):
            drift = 0.97 * drift + draw.gauss(0, 0.0004)
            close = price * (1 + drift + draw.gauss(0, 0.0015))
            high = max(price, close) * (1 + abs(draw.gauss(0, 0.0005)))
            low = min(price, close) * (1 - abs(draw.gauss(0, 0.0005)))
            at_ms = FIRST_MS + number * BAR_MS
            row = (price, high, low, close)
            out.write(
                f"{at_ms},{symbol},{','.join(f'{value:.2f}' for value in row)},{draw.uniform(1, 50):.4f}\n"
            )
            price = float(f"{close:.2f}")
