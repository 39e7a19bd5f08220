"""How a database begins: made whole under another name, then put in its place; and whose it is from its first deed."""

import secrets
import sqlite3
import string
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fsm.commit import StoreError
from persistence.files import APPLICATION_ID, check_place, connect, sync_directory
from persistence.schema import migrate

_FIRST = "".join(sorted(set(string.ascii_lowercase) - {"t"}))
"""No client order id begins with `t`: one of the supported exchanges keeps that letter for itself."""
_REST = string.ascii_lowercase + string.digits
TAG_LENGTH = 5
_OF_BIRTH = ("tag", "mode", "exchange", "epoch", "open")
"""What the table `engine` holds of a database in which nothing has happened."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a database belongs to. It never changes once anything has happened in it."""

    tag: str
    mode: str
    exchange: str


def draw_tag() -> str:
    return secrets.choice(_FIRST) + "".join(secrets.choice(_REST) for _ in range(TAG_LENGTH - 1))


def create(path: Path, identity: Identity) -> None:
    """A crash on the way leaves no database, never half of one. Expects the caller to hold the lock."""
    check_place(path)
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, draft.with_name(draft.name + "-journal")):
        leftover.unlink(missing_ok=True)
    draft.touch(mode=0o644)
    with closing(connect(draft)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection, draft)
        connection.executemany(
            "INSERT INTO engine(name, value) VALUES (?, ?)",
            [("tag", identity.tag), ("mode", identity.mode), ("exchange", identity.exchange), ("epoch", "0")],
        )
    draft.rename(path)
    sync_directory(path.parent)


def check_identity(connection: sqlite3.Connection, path: Path, mode: str, exchange: str) -> Identity:
    """Raises StoreError when the database belongs to another mode or exchange, or is a backup.

    One without a past belongs to whoever opens it: a start that never reached its exchange claims nothing.
    """
    facts = dict(
        connection.execute(
            "SELECT name, value FROM engine WHERE name IN ('tag', 'mode', 'exchange', 'backup')"
        )
    )
    if "backup" in facts:
        raise StoreError(
            f"database {path}: it is a backup; put it in its place with `dirigent restore {path}`"
        )
    found = Identity(facts["tag"], facts["mode"], facts["exchange"])
    if (found.mode, found.exchange) != (mode, exchange) and has_past(connection):
        raise StoreError(
            f"database {path}: it belongs to {found.mode} trading on {found.exchange}, "
            f"not to {mode} trading on {exchange}; name another database for that"
        )
    return Identity(found.tag, mode, exchange)


def has_past(connection: sqlite3.Connection) -> bool:
    """Whether anything has happened since the database was made: one row in any table but those of its making."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'engine'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_sqlite\\_%' ESCAPE '\\'"
    ).fetchall()
    if any(connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for (name,) in tables):
        return True
    return any(name not in _OF_BIRTH for (name,) in connection.execute("SELECT name FROM engine"))


def claim(connection: sqlite3.Connection, identity: Identity) -> None:
    """Writes whose the database is, where it says otherwise."""
    connection.execute(
        "UPDATE engine SET value = CASE name WHEN 'mode' THEN ?1 ELSE ?2 END"
        " WHERE (name = 'mode' AND value <> ?1) OR (name = 'exchange' AND value <> ?2)",
        (identity.mode, identity.exchange),
    )
