"""The epoch: each start raises it, and who finds another one than its own has been taken over and writes no more."""

import sqlite3
from pathlib import Path

from fsm.commit import StoreConflict


def begin_epoch(connection: sqlite3.Connection) -> int:
    """Takes the database over, and returns the new epoch; every earlier engine finds it at its next write."""
    connection.execute("BEGIN IMMEDIATE")
    epoch = _stored(connection) + 1
    connection.execute("UPDATE engine SET value = ? WHERE name = 'epoch'", (str(epoch),))
    connection.execute("COMMIT")
    return epoch


def check_epoch(connection: sqlite3.Connection, path: Path, epoch: int) -> None:
    """Raises StoreConflict when a later engine has begun its own. Asked within each writing transaction."""
    stored = _stored(connection)
    if stored != epoch:
        raise StoreConflict(
            f"database {path}: another engine took it over "
            f"(epoch {stored}, this one has {epoch}); stop one of the two"
        )


def _stored(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT value FROM engine WHERE name = 'epoch'").fetchone()[0])
