"""SqliteStore: the engine's memory in one SQLite file, written by one process."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from fsm.commit import CommitBatch, Progress, StoreConflict, StoredState, StoreError
from fsm.records import OrderRecord, PositionRecord
from persistence import creation
from persistence.codec import heartbeat_to_json
from persistence.faults import store_fault
from persistence.files import check_place, check_writable, connect, inspect_file
from persistence.journal import INSERT_CHECKPOINT, ChainHead, read_head, read_last_checkpoint
from persistence.loading import find_one, latest_moment, load_state, map_states, verify_tail
from persistence.lock import DatabaseLock
from persistence.schema import migrate
from persistence.transactions import EachCommit, Grouped, Transactions
from persistence.writing import prepare, write

Durability = Literal["each", "grouped"]

_ENGINE_SET = (
    "INSERT INTO engine(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
)
_FEED_SET = """INSERT INTO feeds(symbol, last_price, last_tick_at_ms, note) VALUES (?, ?, ?, ?)
    ON CONFLICT(symbol) DO UPDATE SET
    last_price = excluded.last_price, last_tick_at_ms = excluded.last_tick_at_ms, note = excluded.note"""
_INDICATORS_SET = """INSERT INTO indicator_checkpoints(symbol, at_ms, state) VALUES (?, ?, ?)
    ON CONFLICT(symbol) DO UPDATE SET at_ms = excluded.at_ms, state = excluded.state"""


class SqliteStore:
    """Store and Archive over one connection; of one thread. Made by `open`, ended by `close` or by `with`."""

    def __init__(
        self, path: Path, lock: DatabaseLock, connection: sqlite3.Connection, durability: Durability
    ) -> None:
        self.path = path
        self.epoch = 0
        self._tag = ""
        self._lock = lock
        self._connection = connection
        policy = Grouped if durability == "grouped" else EachCommit
        self._transactions: Transactions = policy(connection, self._check_epoch)
        self._head = ChainHead(0, "")
        self._at_ms = 0
        self._lost = ""

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        mode: str = "paper",
        exchange: str = "paper",
        durability: Durability = "each",
        tag: str | None = None,
    ) -> Self:
        """Opens the database, or makes it with `tag` (drawn when None).

        Raises StoreError, and changes nothing, when another process writes it, when it belongs to another
        mode or exchange, or when the file is not sound.
        """
        path = Path(path)
        if path.exists():
            inspect_file(path)
            check_writable(path)
        else:
            check_place(path)
        lock = DatabaseLock.acquire(path)
        try:
            if not path.exists():
                creation.create(path, creation.Identity(tag or creation.draw_tag(), mode, exchange))
            connection = connect(path)
        except sqlite3.Error as error:
            lock.release()
            raise store_fault(path, error) from error
        except BaseException:
            lock.release()
            raise
        try:
            store = cls(path, lock, connection, durability)
            store._take_over(mode, exchange)
        except BaseException as error:
            connection.close()
            lock.release()
            if isinstance(error, sqlite3.Error):
                raise store_fault(path, error) from error
            raise
        return store

    def _take_over(self, mode: str, exchange: str) -> None:
        """Everything that can be refused is asked before the first write."""
        connection = self._connection
        identity = creation.check_identity(connection, self.path, mode, exchange)
        migrate(connection, self.path)
        connection.execute("PRAGMA journal_mode = WAL")
        self._tag = identity.tag
        connection.execute("BEGIN IMMEDIATE")
        self.epoch = self._stored_epoch() + 1
        connection.execute(_ENGINE_SET, ("epoch", str(self.epoch)))
        connection.execute("COMMIT")
        self._head = read_head(connection)
        self._at_ms = latest_moment(connection)

    def load(self) -> StoredState:
        with self._naming_faults():
            verify_tail(self._connection, self.path)
            state = load_state(self._connection, self._tag, self.epoch)
        batch = map_states(state, self._at_ms, self.path)
        if batch.is_empty:
            return state
        self.commit(batch)
        with self._naming_faults():
            return load_state(self._connection, self._tag, self.epoch)

    def commit(self, batch: CommitBatch) -> None:
        """Raises StoreConflict or StoreError, and then nothing of the batch is stored."""
        if batch.is_empty:
            return
        prepared = prepare(batch, self.epoch, self._head, self._at_ms)
        with self._transaction(on_disk=bool(batch.outbox)):
            write(self._connection, prepared)
        self._head, self._at_ms = prepared.head, prepared.at_ms

    def save_progress(self, progress: Progress) -> None:
        with self._transaction(on_disk=False):
            if progress.heartbeat:
                self._connection.execute(_ENGINE_SET, ("heartbeat", heartbeat_to_json(progress.heartbeat)))
            self._connection.executemany(_FEED_SET, progress.feeds)
            rows = [(symbol, progress.at_ms, state) for symbol, state in progress.checkpoints.items()]
            self._connection.executemany(_INDICATORS_SET, rows)

    def flush(self) -> None:
        """Puts on disk what a group still holds open."""
        self._refuse_when_lost()
        try:
            self._transactions.flush()
        except sqlite3.Error as error:
            self._undo()
            raise store_fault(self.path, error) from error

    def close(self) -> None:
        """Flushes, checkpoints the journal and releases the lock. A second call does nothing."""
        try:
            if not self._lost and self._lock.is_held:
                self.flush()
                self._checkpoint_journal()
        finally:
            self._connection.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find_order(self, client_order_id: str) -> OrderRecord | None:
        with self._naming_faults():
            order: OrderRecord | None = find_one(self._connection, "order", client_order_id)
        return order

    def find_position(self, position_id: str) -> PositionRecord | None:
        with self._naming_faults():
            position: PositionRecord | None = find_one(self._connection, "position", position_id)
        return position

    def has_fill(self, symbol: str, fill_id: str) -> bool:
        return self._exists("SELECT 1 FROM fills WHERE symbol = ? AND id = ?", symbol, fill_id)

    def signal_was_offered(self, signal_id: str) -> bool:
        return self._exists("SELECT 1 FROM signals WHERE id = ?", signal_id)

    def _exists(self, query: str, *key: str) -> bool:
        with self._naming_faults():
            return self._connection.execute(query, key).fetchone() is not None

    def _checkpoint_journal(self) -> None:
        if read_last_checkpoint(self._connection).seq == self._head.seq:
            return
        with self._transaction(on_disk=True):
            self._connection.execute(INSERT_CHECKPOINT, (self._head.seq, self._head.hash, self._at_ms))
        self.flush()

    def _stored_epoch(self) -> int:
        return int(self._connection.execute("SELECT value FROM engine WHERE name = 'epoch'").fetchone()[0])

    def _check_epoch(self) -> None:
        stored = self._stored_epoch()
        if stored != self.epoch:
            raise StoreConflict(
                f"database {self.path}: another engine took it over "
                f"(epoch {stored}, this one has {self.epoch}); stop one of the two"
            )

    @contextmanager
    def _transaction(self, *, on_disk: bool) -> Iterator[None]:
        self._refuse_when_lost()
        try:
            self._transactions.begin(on_disk)
            yield
            self._transactions.end()
        except BaseException as error:
            self._undo()
            if isinstance(error, sqlite3.Error):
                raise store_fault(self.path, error) from error
            raise

    def _undo(self) -> None:
        if not self._transactions.undo():
            self._lost = (
                f"database {self.path}: a group of commits could not be written and was taken back; "
                "start again from what is on disk"
            )

    def _refuse_when_lost(self) -> None:
        if self._lost:
            raise StoreError(self._lost)

    @contextmanager
    def _naming_faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise store_fault(self.path, error) from error
