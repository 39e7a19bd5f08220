"""The main file knows that an engine has it open, so that a copy without its write-ahead log is recognised.

Such a copy is sound, and old: who traded on it would give the names of orders that have left to new ones. The
mark reaches the main file at the start, when the log is on disk already; a kill leaves mark and log, a close
takes both away. So a mark without a log means that the log was left behind.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from fsm.commit import StoreError
from persistence.files import connect_to_read, has_content, wal_path

_SET = "INSERT INTO engine(name, value) VALUES ('open', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
_CLEAR = "UPDATE engine SET value = '' WHERE name = 'open' AND value = ?"
_GET = "SELECT value FROM engine WHERE name = 'open'"


def check_log_is_here(path: Path) -> None:
    """Raises StoreError when the log is missing that belongs to the database. Makes no file."""
    log = wal_path(path)
    if has_content(log):
        return
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        found = connection.execute(_GET).fetchone()
    if found is not None and found[0]:
        raise StoreError(
            f"database {path}: its engine did not close it, and its write-ahead log {log.name} is not here, with "
            "all that happened last; put the log beside it. Only if another program has written the log back into "
            f"the database, allow it: sqlite3 {path} \"DELETE FROM engine WHERE name = 'open'\""
        )


def mark_open(connection: sqlite3.Connection, epoch: int) -> None:
    """The log has content from then on. A reader can keep the mark from the main file; then it comes there later."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(_SET, (str(epoch),))
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def close_marked(connection: sqlite3.Connection, path: Path, epoch: int) -> None:
    """Clears the mark, unless a later engine set it, and closes; where it cannot be cleared the log stays."""
    try:
        connection.execute(_CLEAR, (str(epoch),))
    except sqlite3.Error:
        with closing(connect_to_read(path)) as keeper:  # who closes last and may not write, leaves the log
            keeper.execute(_GET).fetchone()
            connection.close()
    else:
        connection.close()
