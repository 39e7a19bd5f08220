"""One write, one transaction: whole or taken back, and on disk before it ends where that is asked for."""

import sqlite3
from collections.abc import Callable

Write = Callable[[sqlite3.Connection], object]


class Transactions:
    """FULL where a write must be on disk before something leaves, else NORMAL."""

    def __init__(self, connection: sqlite3.Connection, check_epoch: Callable[[], None]) -> None:
        self._connection = connection
        self._check_epoch = check_epoch
        self._is_full: bool | None = None

    def run(self, write: Write, *, on_disk: bool) -> None:
        """With `on_disk` it survives a power loss once this returns. A write that raises leaves nothing."""
        connection = self._connection
        if on_disk is not self._is_full:
            # A pragma takes effect when it is prepared, so it must not come from the statement cache.
            connection.executescript(f"PRAGMA synchronous = {'FULL' if on_disk else 'NORMAL'}")
            self._is_full = on_disk
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._check_epoch()
            write(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
