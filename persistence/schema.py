"""The tables, as migrations: applied in order, each once; a database from the future is refused.

The columns of subjects and fills are the fields of their records. A migration that adds a field therefore
asks whether the column is there: a database that is made new has it from the start.
"""

import sqlite3
from pathlib import Path
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from fsm.commit import StoreError
from persistence.codec import Codec, Column
from persistence.files import SCHEMA_VERSION, refuse_newer
from persistence.refusals import REFUSAL_TABLES
from persistence.subjects import FILL_CODEC, SUBJECT_TABLES

MIGRATIONS = Migrations("dirigent")

_REFERENCES = {
    ("orders", "position_id"): "positions(id)",
    ("fills", "client_order_id"): "orders(client_order_id)",
}

_STATEMENTS = (
    "CREATE INDEX orders_by_position ON orders(position_id)",
    "CREATE INDEX positions_by_symbol ON positions(symbol)",
    "CREATE INDEX fills_by_order ON fills(client_order_id)",
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        machine TEXT NOT NULL,
        subject_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        event TEXT NOT NULL,
        source TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL,
        guards TEXT NOT NULL,
        changes TEXT NOT NULL,
        definition TEXT NOT NULL,
        note TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        hash TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX journal_by_subject ON journal(subject_id, machine)",
    """CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_is_not_cut BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    "CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT",
    """CREATE TABLE outbox (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        client_order_id TEXT NOT NULL REFERENCES orders(client_order_id),
        symbol TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        done_at_ms INTEGER
    ) STRICT""",
    "CREATE INDEX outbox_pending ON outbox(id) WHERE done_at_ms IS NULL",
    """CREATE TABLE signals (
        id TEXT PRIMARY KEY,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        outcome TEXT NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE indicator_checkpoints (
        symbol TEXT PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        state TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE feeds (
        symbol TEXT PRIMARY KEY,
        last_price TEXT NOT NULL,
        last_tick_at_ms INTEGER NOT NULL,
        note TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE engine (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
)


@MIGRATIONS()
def m0001_first_tables(db: Database) -> None:
    for table in SUBJECT_TABLES.values():
        columns = [_declared(table.name, column, table.key) for column in table.codec.columns]
        db.execute(f"CREATE TABLE {table.name} ({', '.join(columns)}) STRICT")
    fills = [_declared("fills", column, "") for column in FILL_CODEC.columns]
    db.execute(f"CREATE TABLE fills ({', '.join(fills)}, PRIMARY KEY (symbol, id)) STRICT, WITHOUT ROWID")
    for statement in _STATEMENTS:
        db.execute(statement)


@MIGRATIONS()
def m0002_refusals(db: Database) -> None:
    for statement in REFUSAL_TABLES:
        db.execute(statement)


@MIGRATIONS()
def m0003_commands(db: Database) -> None:
    db.execute("""CREATE TABLE commands (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        arguments TEXT NOT NULL,
        person TEXT NOT NULL,
        given_at_ms INTEGER NOT NULL,
        answered_at_ms INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        answer TEXT NOT NULL
    ) STRICT""")


def _declared(table: str, column: Column, key: str) -> str:
    words = [f'"{column.name}"', column.sql_type]
    if not column.is_nullable:
        words.append("NOT NULL")
    if column.name == key:
        words.append("PRIMARY KEY")
    if (table, column.name) in _REFERENCES:
        words.append(f"REFERENCES {_REFERENCES[table, column.name]}")
    return " ".join(words)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Brings the database to this version. Raises StoreError, changing nothing, when it is of a later one."""
    db = Database(connection, execute_plugins=False)
    known = {migration.name for migration in MIGRATIONS._migrations}
    strange = sorted(migration.name for migration in MIGRATIONS.applied(db) if migration.name not in known)
    if strange:
        raise StoreError(
            f"database {path}: a newer version of Dirigent wrote it (it has migration {strange[0]}); "
            "use that version, or name another database"
        )
    refuse_newer(path, connection.execute("PRAGMA user_version").fetchone()[0])
    if MIGRATIONS.pending(db):
        MIGRATIONS.apply(db)
    _check_columns(connection, path)
    _keep_live_indexes(connection)
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _check_columns(connection: sqlite3.Connection, path: Path) -> None:
    codecs: dict[str, Codec[Any]] = {table.name: table.codec for table in SUBJECT_TABLES.values()}
    for name, codec in (*codecs.items(), ("fills", FILL_CODEC)):
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        for difference in sorted(present ^ set(codec.names)):
            fault = "lacks" if difference not in present else "has the unknown"
            raise StoreError(
                f"database {path}: table {name} {fault} column {difference!r}; "
                "another version of Dirigent made it: use that version, or name another database"
            )


def _keep_live_indexes(connection: sqlite3.Connection) -> None:
    """The condition of a partial index has to be the query's own, and a table's final states may change."""
    for table in SUBJECT_TABLES.values():
        if not table.definition.finals:
            continue
        row = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ?", (f"{table.name}_live",)
        ).fetchone()
        if row is None or row[0] != table.live_index:
            connection.execute(f"DROP INDEX IF EXISTS {table.name}_live")
            connection.execute(table.live_index)
