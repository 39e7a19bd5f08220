"""A backup put back: verified, given a new life with a tag of its own, and the old database kept beside it.

What the engine did after the backup was made, the exchange remembers and the backup does not. Traded on as it is, it
would give the client ids of those orders to new ones. So its next life draws a new tag, with which the ids of all
orders from then on begin, also those of positions that were open; and entries are halted until a person has looked.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fsm.commit import FORMER_TAGS, CommitBatch, JournalEntry, StoreError, former_tags
from fsm.permission import BACKUP_RESTORED, ENGINE_SUBJECT, PERMISSION
from fsm.records import PermissionRecord, Record, changes_between
from persistence.backup import BACKUP_MARK, clear_draft, made_at_ms, prove
from persistence.creation import draw_tag
from persistence.faults import store_fault
from persistence.files import connect_to_read, inspect_file, refuse_newer, sync_directory
from persistence.journal import INSERT_CHECKPOINT, MOVED, read_head, read_last_checkpoint
from persistence.loading import find_one, latest_moment
from persistence.lock import DatabaseLock
from persistence.open_mark import check_log_is_here
from persistence.pending import Pending
from persistence.schema import migrate
from persistence.writing import prepare

REASON = "restored from a backup: compare with `dirigent reconcile --plan`, then resume"

_SET = "INSERT INTO engine(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
_BESIDE = ("-wal", "-shm", "-journal")
"""What lies beside a database's main file, and goes first: without its log the main file says so, and nothing trades
on it. The main file itself is never missing, or a start would take the place for a new one and begin there."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and where what stood there before is."""

    made_at_ms: int | None
    """None for a file that is a plain copy, and no backup."""
    entries: int
    former_tag: str
    tag: str
    kept: Path | None


def restore(backup: Path, database: Path, now_ms: int, *, replace: bool) -> Restored:
    """Puts the backup in the database's place. Raises StoreError, having changed nothing, when it must not.

    Refused while an engine runs, for a backup of another mode or exchange, and where a database stands already
    unless `replace`: that one is then kept under another name.
    """
    _refuse_what_is_no_backup(backup, database)
    lock = DatabaseLock.acquire(database)
    draft = database.with_name(database.name + ".restoring")
    try:
        if database.exists() and not replace:
            raise StoreError(
                f"database {database}: it exists; give --yes to keep it under another name"
                " and put the backup in its place"
            )
        clear_draft(draft)
        _copy(backup, draft)
        _refuse_another_exchange(draft, backup, database)
        prove(draft, f"backup {backup}")
        tags, made = _begin_anew(draft, backup, now_ms)
        report = prove(draft, f"the restored {backup}")
        kept = _put_in_place(draft, database, now_ms)
    except sqlite3.Error as error:
        raise store_fault(backup, error) from error
    except OSError as error:
        raise StoreError(f"database {database}: {error.strerror}; nothing was put in its place") from error
    finally:
        clear_draft(draft)
        lock.release()
    return Restored(made, report.entries, *tags, kept)


def _refuse_what_is_no_backup(backup: Path, database: Path) -> None:
    if not backup.exists():
        raise StoreError(f"no backup at {backup}; name the file that `dirigent backup` wrote")
    if database.exists() and backup.samefile(database):
        raise StoreError(f"{backup} is the database itself; name a backup of it")
    if not database.parent.is_dir():
        raise StoreError(
            f"database {database}: the directory {database.parent} does not exist; create it first"
        )
    inspect_file(backup)
    check_log_is_here(backup)


def _copy(backup: Path, draft: Path) -> None:
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
    with (
        closing(connect_to_read(backup)) as source,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
    ):
        refuse_newer(backup, source.execute("PRAGMA user_version").fetchone()[0])
        source.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        migrate(copy, draft)


def _refuse_another_exchange(draft: Path, backup: Path, database: Path) -> None:
    if not database.exists():
        return
    found, held = _belongs_to(draft), _belongs_to(database)
    if found is not None and held is not None and found != held:
        raise StoreError(
            f"backup {backup}: it belongs to {' trading on '.join(found)}, and {database} to"
            f" {' trading on '.join(held)}; restore it to a database of its own with --db"
        )


def _belongs_to(path: Path) -> tuple[str, str] | None:
    """Mode and exchange; None of a database that is too damaged to say, which is why a backup is wanted."""
    try:
        with closing(connect_to_read(path)) as connection:
            facts = dict(
                connection.execute("SELECT name, value FROM engine WHERE name IN ('mode', 'exchange')")
            )
    except sqlite3.Error:
        return None
    return (facts["mode"], facts["exchange"]) if len(facts) == 2 else None


def _begin_anew(draft: Path, backup: Path, now_ms: int) -> tuple[tuple[str, str], int | None]:
    """The former tag and the new one, journaled with the halt in one transaction; and when the backup was made."""
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        engine = dict(connection.execute("SELECT name, value FROM engine WHERE name IN ('tag', 'epoch')"))
        facts = dict(connection.execute("SELECT name, value FROM facts WHERE name = ?", (FORMER_TAGS,)))
        known = (*former_tags(facts), engine["tag"])
        tag = draw_tag()
        while tag in known:
            tag = draw_tag()
        made = made_at_ms(connection)
        moment = "at an unknown time" if made is None else f"at {_told(made)}"
        note = f"{backup.name}, made {moment}; tag {engine['tag']} gives way to {tag}"
        at_ms = max(now_ms, latest_moment(connection))
        batch = _halted(find_one(connection, "permission", ENGINE_SUBJECT), at_ms, note)
        batch.facts[FORMER_TAGS] = " ".join(known)
        epoch = int(engine["epoch"]) + 1
        prepared = prepare(Pending.alone(batch, at_ms), epoch, read_head(connection))
        connection.execute("BEGIN IMMEDIATE")
        prepared.write(connection)
        if read_last_checkpoint(connection) != prepared.head:
            connection.execute(INSERT_CHECKPOINT, (prepared.head.seq, prepared.head.hash, at_ms))
        connection.executemany(_SET, [("tag", tag), ("epoch", str(epoch)), ("open", "")])
        connection.execute("DELETE FROM engine WHERE name = ?", (BACKUP_MARK,))
        connection.execute("COMMIT")
    return (engine["tag"], tag), made


def _halted(before: PermissionRecord | None, at_ms: int, note: str) -> CommitBatch:
    """The engine's own permission, moved as its table says."""
    source = before.state if before is not None else PERMISSION.initial
    (row,) = PERMISSION.rows_of(source, BACKUP_RESTORED)
    after = before.copy() if before is not None else PermissionRecord(row.target, scope=ENGINE_SUBJECT)
    after.state, after.version = row.target, after.version + 1
    after.reason, after.due_at_ms = REASON, None
    entry = JournalEntry(
        at_ms=at_ms,
        machine=after.machine,
        subject_id=after.subject_id,
        version=after.version,
        event=BACKUP_RESTORED,
        source=source,
        target=row.target,
        outcome=MOVED,
        verdicts=(),
        changes=changes_between(before, after),
        definition=PERMISSION.hash,
        note=note,
    )
    records: dict[tuple[str, str], tuple[Record, int]] = {
        (after.machine, after.subject_id): (after, before.version if before is not None else 0)
    }
    return CommitBatch(records=records, journal=[entry])


def _told(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _put_in_place(draft: Path, database: Path, now_ms: int) -> Path | None:
    """Where the former database is now, each of its files under its new name; None where there was none."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    kept = database.with_name(
        f"{database.name}.before-{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%dT%H%M%S}Z"
    )
    if kept.exists():
        raise StoreError(f"{kept} exists; wait a second and try again")
    stood = database.exists()
    if stood:
        os.link(database, kept)
    moved = stood
    for suffix in _BESIDE:
        file_now = database.with_name(database.name + suffix)
        if file_now.exists():
            file_now.rename(kept.with_name(kept.name + suffix))
            moved = True
    draft.replace(database)
    sync_directory(database.parent)
    return kept if moved else None
