"""Which order books strategies ask for, and what people are told of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirigent.wiring import Engine
    from services.order_book import OrderBook


def asked_for(engine: "Engine") -> dict[str, "OrderBook"]:
    """The books of traded pairs that a strategy wants, on trial or not."""
    books = ((symbol, engine.market.indicators(symbol).book) for symbol in engine.symbols)
    return {symbol: book for symbol, book in books if book.levels}


def none_there(exchange_id: str) -> str:
    """In words, for logs and people."""
    return f"{exchange_id} streams no order book"


def told(engine: "Engine", now_ms: int) -> dict[str, Any]:
    """For the heartbeat: each book that is asked for, by whom, and how old it is; nothing where nobody asks."""
    rows = [
        {
            "symbol": symbol,
            "levels": book.levels,
            "asked_by": [
                seat.identity["name"] for seat in engine.signals.panel(symbol).seats if seat.book_depth
            ],
            "age_s": max(now_ms - book.at_ms, 0) / 1000 if book.at_ms else None,
            "fault": book.fault,
        }
        for symbol, book in asked_for(engine).items()
    ]
    return {"order_books": rows} if rows else {}


def in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many books are known, and why the others are not."""
    faults: dict[str, list[str]] = {}
    for row in rows:
        if row["fault"]:
            faults.setdefault(str(row["fault"]), []).append(str(row["symbol"]))
    missing = "".join(f"; {', '.join(symbols)}: {fault}" for fault, symbols in faults.items())
    return f"{sum(not row['fault'] for row in rows)} of {len(rows)} known{missing}"
