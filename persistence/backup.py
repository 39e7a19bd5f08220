"""A backup: a whole copy of one moment, made while the engine trades, verified, and no database to trade on."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fsm.commit import StoreError
from persistence.faults import store_fault
from persistence.files import reading, sync_directory
from persistence.verification import VerificationReport, verify

BACKUP_MARK = "backup"
"""The value of the engine that says when a backup was made. A database that has it is not traded on: what was
sent since then would be sent again under the same names."""

_SET = "INSERT INTO engine(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as it was made."""

    path: Path
    made_at_ms: int
    size: int
    """Bytes."""
    report: VerificationReport


def back_up(database: Path, target: Path, now_ms: int) -> Backup:
    """Copies one moment of the database and proves the copy; `target` appears whole, or not at all.

    Reads only: the engine goes on writing, and its write-ahead log starts over after the copy has ended. Raises
    StoreError when `target` exists, cannot be written, or the copy is not sound.
    """
    refuse_to_overwrite(target)
    draft = target.with_name(target.name + ".new")
    clear_draft(draft)
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"backup {target}: it cannot be written ({error.strerror}); name another place"
        ) from error
    try:
        _copy(database, draft, now_ms)
        report = prove(draft, f"the copy of {database}")
        size = draft.stat().st_size
        _put_in_place(draft, target)
    finally:
        clear_draft(draft)
    return Backup(target, now_ms, size, report)


def clear_draft(draft: Path) -> None:
    """With what SQLite may have left beside it: a journal of a draft before would be played into this one."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def refuse_to_overwrite(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise StoreError(f"backup {target}: it exists, and a backup is never overwritten; name another file")
    if not target.parent.is_dir():
        raise StoreError(f"backup {target}: the directory {target.parent} does not exist; create it first")


def _copy(database: Path, draft: Path, now_ms: int) -> None:
    with reading(database) as source, closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        try:
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()
            copy.execute("BEGIN IMMEDIATE")
            copy.execute(_SET, (BACKUP_MARK, json.dumps({"made_at_ms": now_ms})))
            copy.execute(_SET, ("open", ""))
            copy.execute("COMMIT")
        except sqlite3.Error as error:
            raise store_fault(draft, error) from error


def prove(path: Path, what: str) -> VerificationReport:
    """Checks SQLite's pages and indexes, then the journal and its sums. Raises StoreError with what differs."""
    with reading(path) as connection:
        told = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if told != "ok":
            raise StoreError(f"{what} is damaged ({told}); use another backup")
    report = verify(path)
    if report.difference is not None:
        raise StoreError(f"{what} is not whole: {report.difference}; run `dirigent verify` on the original")
    return report


def _put_in_place(draft: Path, target: Path) -> None:
    """By a link, which never replaces what somebody put there meanwhile."""
    try:
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.link(draft, target)
        sync_directory(target.parent)
    except FileExistsError:
        refuse_to_overwrite(target)
        raise
    except OSError as error:
        raise StoreError(
            f"backup {target}: it cannot be written ({error.strerror}); name another place"
        ) from error


def made_at_ms(connection: sqlite3.Connection) -> int | None:
    """When this backup was made; None of a database that is none."""
    row = connection.execute("SELECT value FROM engine WHERE name = ?", (BACKUP_MARK,)).fetchone()
    return int(json.loads(row[0])["made_at_ms"]) if row else None
