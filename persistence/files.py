"""The database as a file: what is refused before it is opened, and how it is opened to write and to read."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from fsm.commit import StoreError
from persistence.faults import store_fault

APPLICATION_ID = 0x44495247
"""`DIRG`, in the header of every database of ours."""
SCHEMA_VERSION = 3
"""The number of migrations, kept in `PRAGMA user_version` so that a reader need not know them."""
LOCK_TIMEOUT_S = 1.0

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100


def inspect_file(path: Path) -> None:
    """Reads the header only. Raises StoreError unless a whole database of ours stands at `path`."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_SIZE)
        size = path.stat().st_size
    except OSError as error:
        raise StoreError(
            f"database {path}: it cannot be read ({error.strerror}); check the path and rights"
        ) from error
    if header[:16] != _MAGIC[: len(header)]:
        raise StoreError(f"database {path}: it is not a database; name another file")
    if len(header) < _HEADER_SIZE:
        raise StoreError(
            f"database {path}: it is truncated to {size} bytes; restore a backup, or move it away"
        )
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise StoreError(f"database {path}: it is a database, but none of Dirigent's; name another file")
    page_size = int.from_bytes(header[16:18])
    expected = int.from_bytes(header[28:32]) * (65536 if page_size == 1 else page_size)
    if size < expected and not has_content(wal_path(path)):
        raise StoreError(
            f"database {path}: it is truncated to {size} of {expected} bytes; "
            "restore a backup, or move it away"
        )


def check_place(path: Path) -> None:
    """Raises StoreError when a new database cannot begin at `path`."""
    if not path.parent.is_dir():
        raise StoreError(f"database {path}: the directory {path.parent} does not exist; create it first")
    if has_content(wal_path(path)):
        raise StoreError(
            f"database {path}: it is gone, but its write-ahead log {wal_path(path).name} is here; "
            "put the database back beside it, or move the log away"
        )


def check_writable(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise StoreError(
            f"database {path}: it cannot be written ({error.strerror}); give this user the right to write it"
        ) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection that begins no transaction by itself. The file must exist."""
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCK_TIMEOUT_S)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection in one read transaction: it sees one moment and disturbs no writer.

    Raises StoreError when there is no database, or it is not one that this version can read.
    """
    if not path.exists():
        raise StoreError(f"no database at {path}; start `dirigent trade` first")
    inspect_file(path)
    try:
        with closing(connect_to_read(path)) as connection:
            connection.execute("BEGIN")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            _check_version(path, version)
            yield connection
    except sqlite3.Error as error:
        raise store_fault(path, error) from error


def refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise StoreError(f"database {path}: a newer version of Dirigent wrote it; use that version")


def _check_version(path: Path, version: int) -> None:
    refuse_newer(path, version)
    if version < SCHEMA_VERSION:
        raise StoreError(
            f"database {path}: it is of an older version; start `dirigent trade` once to migrate it"
        )


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Where it may not make a -shm file, SQLite reads a WAL database only when told that it is immutable."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    at_rest = not wal_path(path).exists() and not os.access(path.parent, os.W_OK, effective_ids=True)
    return sqlite3.connect(
        uri + ("&immutable=1" if at_rest else ""), uri=True, isolation_level=None, timeout=LOCK_TIMEOUT_S
    )


def wal_path(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
