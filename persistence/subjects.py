"""Where each kind of subject is stored: its table, its columns, and the constant SQL for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fsm.order import ORDER
from fsm.pair import PAIR
from fsm.permission import PERMISSION
from fsm.position import POSITION
from fsm.records import RECORD_TYPES, Fill, Record
from fsm.table import Table
from persistence.codec import Codec

_FIXED = frozenset({"id", "client_order_id", "symbol", "scope", "position_id"})
"""What a subject is born with. An update leaves it alone: to assign a key or an indexed column, even its own
value, makes SQLite look for the rows that refer to it and write the index anew."""


@dataclass(frozen=True, slots=True)
class SubjectTable:
    """One machine's subjects in SQL."""

    machine: str
    name: str
    key: str
    definition: Table
    codec: Codec[Any]
    insert: str
    update: str
    """Takes the columns in their order, then the version that must still be there."""
    select: str
    select_one: str
    select_version: str
    key_at: int
    """Where its columns have the key, and below the version."""
    version_at: int
    is_live: str
    """The condition that leaves out what has ended; true where nothing ever ends. Written as comparisons: for
    `NOT IN` SQLite builds a table at each write, which trebles the cost of an update."""

    @property
    def live_index(self) -> str:
        """The partial index that serves `is_live`."""
        return f"CREATE INDEX {self.name}_live ON {self.name}(state) WHERE {self.is_live}"


def quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def insert_into(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table}({quoted(names)}) VALUES ({', '.join('?' * len(names))})"


def _subject_table(name: str, kind: type[Record], definition: Table) -> SubjectTable:
    codec = Codec(kind)
    columns = quoted(codec.names)
    numbered = [f'"{column}" = ?{number}' for number, column in enumerate(codec.names, start=1)]
    is_key = numbered[codec.names.index(kind.key)]
    is_base = f"version = ?{len(codec.names) + 1}"
    assigned = [one for name, one in zip(codec.names, numbered, strict=True) if name not in _FIXED]
    is_live = " AND ".join(f"state <> '{state}'" for state in sorted(definition.finals))
    return SubjectTable(
        machine=kind.machine,
        name=name,
        key=kind.key,
        definition=definition,
        codec=codec,
        insert=insert_into(name, codec.names),
        update=f"UPDATE {name} SET {', '.join(assigned)} WHERE {is_key} AND {is_base}",
        select=f"SELECT {columns} FROM {name}",
        select_one=f'SELECT {columns} FROM {name} WHERE "{kind.key}" = ?',
        select_version=f'SELECT version FROM {name} WHERE "{kind.key}" = ?',
        key_at=codec.names.index(kind.key),
        version_at=codec.names.index("version"),
        is_live=is_live or "1",
    )


SUBJECT_TABLES: dict[str, SubjectTable] = {
    table.machine: table
    for table in (
        _subject_table("pairs", RECORD_TYPES["pair"], PAIR),
        _subject_table("permissions", RECORD_TYPES["permission"], PERMISSION),
        _subject_table("positions", RECORD_TYPES["position"], POSITION),
        _subject_table("orders", RECORD_TYPES["order"], ORDER),
    )
}
"""By machine, and in the order in which foreign keys let them be written."""

FILL_CODEC: Codec[Fill] = Codec(Fill)
FILL_INSERT = insert_into("fills", FILL_CODEC.names)
FILL_SELECT = f"SELECT {quoted(FILL_CODEC.names)} FROM fills"
