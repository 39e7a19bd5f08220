"""The schema: what its migrations make is what the code reads and writes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fsm.records import Fill, field_names
from persistence.files import APPLICATION_ID, SCHEMA_VERSION
from persistence.journal import COLUMNS
from persistence.schema import MIGRATIONS
from persistence.store import SqliteStore
from persistence.subjects import SUBJECT_TABLES


@pytest.fixture
def connection(tmp_path: Path) -> "closing[sqlite3.Connection]":
    path = tmp_path / "books.sqlite"
    SqliteStore.open(path).close()
    return closing(sqlite3.connect(path, isolation_level=None))


def test_the_schema_version_counts_the_migrations() -> None:
    assert len(MIGRATIONS._migrations) == SCHEMA_VERSION


def test_tables_have_the_columns_of_their_records(connection: "closing[sqlite3.Connection]") -> None:
    wanted = {table.name: table.codec.names for table in SUBJECT_TABLES.values()}
    wanted |= {"fills": field_names(Fill), "journal": COLUMNS}
    with connection as opened:
        for name, columns in wanted.items():
            assert tuple(row[1] for row in opened.execute(f"PRAGMA table_info({name})")) == columns


def test_every_table_of_ours_is_strict(connection: "closing[sqlite3.Connection]") -> None:
    with connection as opened:
        loose = [row[1] for row in opened.execute("PRAGMA table_list") if row[2] == "table" and not row[5]]
    assert sorted(loose) == ["_sqlite_migrations", "sqlite_schema", "sqlite_temp_schema"]


def test_the_file_names_itself_and_is_in_wal_mode(connection: "closing[sqlite3.Connection]") -> None:
    with connection as opened:
        pragmas = {
            name: opened.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "journal_mode")
        }
    assert pragmas == {
        "application_id": APPLICATION_ID,
        "user_version": SCHEMA_VERSION,
        "journal_mode": "wal",
    }


def test_a_live_index_of_other_final_states_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    SqliteStore.open(path).close()
    table = SUBJECT_TABLES["order"]
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        opened.execute("DROP INDEX orders_live")
        opened.execute("CREATE INDEX orders_live ON orders(state) WHERE state <> 'filled'")
    SqliteStore.open(path).close()
    with closing(sqlite3.connect(path)) as opened:
        [(made,)] = opened.execute("SELECT sql FROM sqlite_master WHERE name = 'orders_live'").fetchall()
    assert made == table.live_index


@pytest.mark.parametrize("table", ["orders", "fills", "outbox"])
def test_children_need_their_parents(connection: "closing[sqlite3.Connection]", table: str) -> None:
    with connection as opened:
        parents = [row[2] for row in opened.execute(f"PRAGMA foreign_key_list({table})")]
    assert parents == {"orders": ["positions"], "fills": ["orders"], "outbox": ["orders"]}[table]
