"""Commands on their way to the engine, in a file of their own beside the database, and what the engine answered."""

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsm.commit import StoreError
from persistence.faults import store_fault
from persistence.files import connect, reading

_APPLICATION_ID = 0x44495243
"""`DIRC`: no engine's database, so neither file is taken for the other."""
_VERSION = 1
_PATIENCE_S = 5
"""How long who gives a command waits for others who do."""
_KEPT_MS = 7 * 86_400_000
"""How long a command that nobody waits for any more is kept for people to look at."""

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""No backup has this file, so nothing can be restored."""

_CREATE = (
    """CREATE TABLE IF NOT EXISTS inbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        arguments TEXT NOT NULL,
        person TEXT NOT NULL,
        given_at_ms INTEGER NOT NULL,
        expires_at_ms INTEGER,
        tag TEXT NOT NULL,
        epoch INTEGER NOT NULL
    ) STRICT""",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_VERSION}",
)
_INSERT = (
    "INSERT INTO inbox(id, kind, arguments, person, given_at_ms, expires_at_ms, tag, epoch)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT number, id, kind, arguments, person, given_at_ms, expires_at_ms, tag, epoch FROM inbox"
    " WHERE number > ? ORDER BY number"
)
_ANSWERED = "SELECT outcome, answer, answered_at_ms FROM commands WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asked of the engine. `arguments` depend on the kind."""

    id: str
    kind: str
    arguments: Mapping[str, Any]
    person: str
    given_at_ms: int
    expires_at_ms: int | None = None
    """When it is no longer carried out; None is never."""
    tag: str = ""
    """Of the database it was given to, and the epoch that this had: an older copy of it was not meant."""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    outcome: str
    words: str
    at_ms: int


def inbox_path(database: Path) -> Path:
    """Where commands to the engine of this database are kept: beside it, never in it."""
    return database.with_name(f"{database.stem}.commands{database.suffix}")


def give(
    database: Path,
    kind: str,
    arguments: Mapping[str, Any],
    person: str,
    *,
    now_ms: int | None = None,
    life_ms: int | None = None,
) -> Command:
    """Writes a command down for the engine; on disk when this returns. Raises StoreError, having given nothing.

    The database must exist. It is read and not written: its one writer is the engine.
    """
    with reading(database) as connection:
        facts = dict(connection.execute("SELECT name, value FROM engine WHERE name IN ('tag', 'epoch')"))
    given_at_ms = int(time.time() * 1000) if now_ms is None else now_ms
    command = Command(
        id=secrets.token_hex(6),
        kind=kind,
        arguments=dict(arguments),
        person=person,
        given_at_ms=given_at_ms,
        expires_at_ms=None if life_ms is None else given_at_ms + life_ms,
        tag=facts["tag"],
        epoch=int(facts["epoch"]),
    )
    path = inbox_path(database)
    with _naming_faults(path), closing(_opened_to_give(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _CREATE:
            connection.execute(statement)
        _forget_old(connection, database, given_at_ms - _KEPT_MS)
        connection.execute(_INSERT, _row(command))
        connection.execute("COMMIT")
    return command


def _forget_old(connection: sqlite3.Connection, database: Path, before_ms: int) -> None:
    """What was answered long ago is in the database; what was not stays, however old."""
    old = connection.execute("SELECT id FROM inbox WHERE given_at_ms < ?", (before_ms,)).fetchall()
    if old:
        with reading(database) as books:
            answered = [one for one in old if books.execute(_ANSWERED, one).fetchone() is not None]
        connection.executemany("DELETE FROM inbox WHERE id = ?", answered)


def _opened_to_give(path: Path) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_S * 1000}")
        _refuse_foreign(connection, path)
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Sets the log of a new file. For the lock that this takes SQLite does not wait, whatever its busy timeout says:
    another one who gives the first command may hold it."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > until_s:
                raise
            time.sleep(0.01)
        else:
            return


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """An empty file is nobody's: one who wanted to give died before the first command was in."""
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (found != _APPLICATION_ID and (found or tables)) or version > _VERSION:
        raise StoreError(f"{path}: it is not Dirigent's file of commands; move it away")


def _row(command: Command) -> tuple[Any, ...]:
    arguments = json.dumps(command.arguments, sort_keys=True, separators=(",", ":"))
    return (
        command.id,
        command.kind,
        arguments,
        command.person,
        command.given_at_ms,
        command.expires_at_ms,
        command.tag,
        command.epoch,
    )


def answer_to(database: Path, command_id: str) -> Answer | None:
    """What the engine of this database answered; None while it has not."""
    with reading(database) as connection:
        row = connection.execute(_ANSWERED, (command_id,)).fetchone()
    return None if row is None else Answer(row[0], row[1], row[2])


def waiting(database: Path) -> list[Command]:
    """The commands that have no answer yet, in the order in which they were given."""
    path = inbox_path(database)
    if not path.exists():
        return []
    with _naming_faults(path), closing(Inbox(path)) as inbox:
        given = inbox.read()
    with reading(database) as connection:
        return [one for one in given if connection.execute(_ANSWERED, (one.id,)).fetchone() is None]


class Inbox:
    """The engine's view of what it was asked: reads what is new and never waits for who writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._last = 0

    def read(self) -> list[Command]:
        """What was given since the last call; everything at the first, and after the file was replaced.

        Empty, too, while the file is busy or not whole: the next call finds it. Raises StoreError for what
        cannot be read.
        """
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            self.close()
            return []
        if inode != self._inode:
            self.close()
        try:
            if self._connection is None:
                self._open(inode)
            assert self._connection is not None
            rows = self._connection.execute(_SELECT, (self._last,)).fetchall()
        except sqlite3.Error as error:
            self.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_ERROR):
                return []
            raise _fault(self.path, error) from error
        if rows:
            self._last = rows[-1][0]
        return [_command(row) for row in rows]

    def _open(self, inode: int) -> None:
        self._connection = connect(self.path)
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._inode, self._last = inode, 0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._inode, self._last = None, 0, 0


def _command(row: tuple[Any, ...]) -> Command:
    """One whose arguments nobody can read is of a kind that nobody knows: it is refused, and those after it go on."""
    _, identity, kind, arguments, person, given_at_ms, expires_at_ms, tag, epoch = row
    try:
        read = json.loads(arguments)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        kind, read = f"unreadable {kind}", {}
    return Command(identity, kind, read, person, given_at_ms, expires_at_ms, tag, epoch)


@contextmanager
def _naming_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _fault(path, error) from error


def _fault(path: Path, error: sqlite3.Error) -> StoreError:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN:
        return StoreError(
            f"{path}: the file of commands is damaged, or not one ({error}); move it away, and give anew what the"
            " engine has not answered"
        )
    return store_fault(path, error)
