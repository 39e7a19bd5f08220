"""Everything that the store holds, read from its file as a person would read it."""

from dataclasses import dataclass
from pathlib import Path

from fsm.records import Fill, OrderRecord, PairRecord, PositionRecord
from persistence.files import reading
from persistence.subjects import FILL_CODEC, SUBJECT_TABLES


@dataclass(frozen=True, slots=True)
class Books:
    orders: dict[str, OrderRecord]
    positions: dict[str, PositionRecord]
    pairs: dict[str, PairRecord]
    fills: list[Fill]


def read_books(path: Path) -> Books:
    """All of it, also what has ended. Raises StoreError."""
    with reading(path) as connection:
        found = {}
        for machine in ("order", "position", "pair"):
            table = SUBJECT_TABLES[machine]
            found[machine] = [table.codec.decode(row) for row in connection.execute(table.select)]
        columns = ", ".join(f'"{name}"' for name in FILL_CODEC.names)
        fills = [FILL_CODEC.decode(row) for row in connection.execute(f"SELECT {columns} FROM fills")]
    return Books(
        {order.client_order_id: order for order in found["order"]},
        {position.id: position for position in found["position"]},
        {pair.symbol: pair for pair in found["pair"]},
        fills,
    )
