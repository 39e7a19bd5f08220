"""A simulated price as a ccxt ticker, with every number a string."""

from datetime import UTC, datetime
from typing import Any

from services.exchanges.price_point import PricePoint


def paper_ticker(point: PricePoint, at_ms: int) -> dict[str, Any]:
    timestamp = at_ms if point.at_ms is None else point.at_ms
    second = datetime.fromtimestamp(timestamp // 1000, UTC)
    last = format(point.last, "f")
    return {
        "symbol": point.symbol,
        "timestamp": timestamp,
        "datetime": f"{second:%Y-%m-%dT%H:%M:%S}.{timestamp % 1000:03d}Z",
        "high": None,
        "low": None,
        "bid": format(point.bid, "f"),
        "bidVolume": None,
        "ask": format(point.ask, "f"),
        "askVolume": None if point.volume is None else format(point.volume, "f"),
        "vwap": None,
        "open": None,
        "close": last,
        "last": last,
        "previousClose": None,
        "change": None,
        "percentage": None,
        "average": None,
        "baseVolume": None,
        "quoteVolume": None,
        "info": {"exchange": "paper"},
    }
