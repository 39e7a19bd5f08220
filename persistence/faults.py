"""What SQLite complains of, in words that name the file, the fault and the remedy."""

import sqlite3
from pathlib import Path

from fsm.commit import StoreError

FAULTS = {
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "free some space and start again; nothing that was committed is lost",
    ),
    sqlite3.SQLITE_READONLY: ("it is read-only", "give this user the right to write it and its directory"),
    sqlite3.SQLITE_PERM: ("it is not permitted", "give this user the right to write it and its directory"),
    sqlite3.SQLITE_BUSY: ("it is locked by another process", "close the program that holds it and try again"),
    sqlite3.SQLITE_LOCKED: (
        "it is locked by another process",
        "close the program that holds it and try again",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged",
        "restore a backup; keep the damaged file and its -wal file aside",
    ),
    sqlite3.SQLITE_NOTADB: ("it is not a database", "name another file, or restore a backup"),
    sqlite3.SQLITE_IOERR: ("the disk failed", "check the disk; nothing that was committed is lost"),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "check that it and its directory exist and may be written",
    ),
}
"""By SQLite's code: the fault, and the remedy."""


UNSTORABLE = (sqlite3.Error, OverflowError, ValueError)
"""What a write may raise: SQLite's own faults, a number beyond 64 bits, a value of the wrong form."""


def store_fault(path: Path, error: Exception) -> StoreError:
    """The error to raise in the place of SQLite's own."""
    if not isinstance(error, sqlite3.Error):
        return StoreError(
            f"database {path}: a value cannot be stored ({error}); nothing of its transaction was written"
        )
    code = getattr(error, "sqlite_errorcode", None)
    fault, remedy = FAULTS.get(
        (code or 0) & 0xFF, ("SQLite refused", "this is a defect of the program; please report it")
    )
    return StoreError(f"database {path}: {fault} ({error}); {remedy}")
