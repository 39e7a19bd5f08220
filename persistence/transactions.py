"""When a transaction begins and when it is on disk: each commit by itself, or many commits as a group."""

import sqlite3
import time
from collections.abc import Callable
from typing import Protocol

GROUP_COMMITS_MAX = 256
GROUP_AGE_S_MAX = 0.1


class Transactions(Protocol):
    def begin(self, on_disk: bool) -> None:
        """Opens what the next writes belong to; `on_disk` asks that `end` survives a power loss."""

    def end(self) -> None: ...

    def undo(self) -> bool:
        """Takes back the writes since `begin`. False when commits that had ended before went with them."""

    def flush(self) -> None:
        """Puts on disk whatever is still open."""


class EachCommit:
    """One transaction a commit. FULL when it must be on disk before something leaves, else NORMAL."""

    def __init__(self, connection: sqlite3.Connection, check_epoch: Callable[[], None]) -> None:
        self._connection = connection
        self._check_epoch = check_epoch
        self._is_full: bool | None = None

    def begin(self, on_disk: bool) -> None:
        if on_disk is not self._is_full:
            # A pragma takes effect when it is prepared, so it must not come from the statement cache.
            self._connection.executescript(f"PRAGMA synchronous = {'FULL' if on_disk else 'NORMAL'}")
            self._is_full = on_disk
        self._connection.execute("BEGIN IMMEDIATE")
        self._check_epoch()

    def end(self) -> None:
        self._connection.execute("COMMIT")

    def undo(self) -> bool:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        return True

    def flush(self) -> None:
        return


class Grouped:
    """One transaction for up to GROUP_COMMITS_MAX commits, each a savepoint, closed at FULL.

    It is closed by the commit that fills it, by the first one after GROUP_AGE_S_MAX, or by `flush`. A crash
    takes back the open group, whole: this is only for an exchange that dies with the process.
    """

    def __init__(self, connection: sqlite3.Connection, check_epoch: Callable[[], None]) -> None:
        self._connection = connection
        self._check_epoch = check_epoch
        self._count = 0
        self._has_savepoint = False
        self._closes_at_s = 0.0
        connection.executescript("PRAGMA synchronous = FULL")

    def begin(self, on_disk: bool) -> None:
        if not self._count:
            self._connection.execute("BEGIN IMMEDIATE")
            self._check_epoch()
            self._closes_at_s = time.monotonic() + GROUP_AGE_S_MAX
        self._connection.execute("SAVEPOINT one_commit")
        self._has_savepoint = True

    def end(self) -> None:
        self._connection.execute("RELEASE one_commit")
        self._has_savepoint = False
        self._count += 1
        if self._count >= GROUP_COMMITS_MAX or time.monotonic() >= self._closes_at_s:
            self.flush()

    def undo(self) -> bool:
        if self._connection.in_transaction and self._has_savepoint and self._count:
            self._connection.execute("ROLLBACK TO one_commit")
            self._connection.execute("RELEASE one_commit")
            self._has_savepoint = False
            return True
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        lost, self._count, self._has_savepoint = self._count, 0, False
        return lost == 0

    def flush(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        self._count = 0
