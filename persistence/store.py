"""SqliteStore: the engine's memory in one SQLite file, written by one process."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from fsm.commit import CommitBatch, Progress, StoredState, StoreError, Totals
from fsm.records import OrderRecord, PositionRecord
from fsm.refusals import Assessment, Refusal
from persistence import creation
from persistence.admission import check_fits, check_whole
from persistence.codec import storable
from persistence.epoch import begin_epoch, check_epoch
from persistence.faults import UNSTORABLE, store_fault
from persistence.files import check_place, check_writable, connect, inspect_file
from persistence.journal import INSERT_CHECKPOINT, ChainHead, read_head, read_last_checkpoint
from persistence.loading import find_one, latest_moment, load_state, map_states, verify_tail
from persistence.lock import DatabaseLock
from persistence.open_mark import check_log_is_here, close_marked, mark_open
from persistence.pending import Pending
from persistence.progress import progress_writer
from persistence.recent_ids import RecentIds
from persistence.refusals import read_assessments, read_refusals
from persistence.schema import migrate
from persistence.standing import RunningTotals, read_recent_orders, read_unknown_since_ms
from persistence.transactions import Transactions, Write
from persistence.writing import prepare

Durability = Literal["each", "grouped"]
_Answer = TypeVar("_Answer")

GROUPED_LOG_PAGES = 8_000
"""How long the log grows, in pages, before it is written into the database; 1,000 where each commit waits."""
_HAS_FILL = "SELECT 1 FROM fills WHERE symbol = ? AND id = ?"
_HAS_COMMAND = "SELECT 1 FROM commands WHERE id = ?"
_HAS_SIGNAL = "SELECT 1 FROM signals WHERE id = ?"


class SqliteStore:
    """Store and Archive over one connection; of one thread. Made by `open`, ended by `close` or by `with`.

    With durability `each`, a commit is written when `commit` returns. With `grouped` it waits in memory,
    where the archive's methods see it, and a group is written whole, at FULL: by the commit that fills it,
    by the first one after GROUP_AGE_S_MAX, by `flush`, `load`, `save_progress` or `close`. A crash loses the
    open group, whole: this is only for an exchange that dies with the process.
    """

    def __init__(
        self, path: Path, lock: DatabaseLock, connection: sqlite3.Connection, durability: Durability
    ) -> None:
        self.path = path
        self.epoch = 0
        self._tag = ""
        self._lock = lock
        self._connection = connection
        self._is_grouped = durability == "grouped"
        self._transactions = Transactions(connection, self._check_epoch)
        self._head = ChainHead(0, "")
        self._pending = Pending(0)
        self._lost = ""
        self._known_fills: RecentIds[tuple[str, str]] = RecentIds(is_complete=False)
        self._known_signals: RecentIds[str] = RecentIds(is_complete=False)
        self._totals = RunningTotals()

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
            if path.exists():
                check_log_is_here(path)
            else:
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
        creation.claim(connection, identity)
        self.epoch = begin_epoch(connection)
        self._head = read_head(connection)
        self._pending = Pending(latest_moment(connection))
        mark_open(connection, self.epoch)
        if self._is_grouped:
            connection.execute(f"PRAGMA wal_autocheckpoint = {GROUPED_LOG_PAGES}")
        if self._is_grouped and not self._head.seq:
            self._known_fills = RecentIds(is_complete=not self._exists("SELECT 1 FROM fills LIMIT 1"))
            self._known_signals = RecentIds(is_complete=not self._exists("SELECT 1 FROM signals LIMIT 1"))

    def load(self) -> StoredState:
        self.flush()
        with self._naming_faults():
            verify_tail(self._connection, self.path)
            state = load_state(self._connection, self._tag, self.epoch)
        batch = map_states(state, self._pending.at_ms, self.path)
        if batch.is_empty:
            return state
        self.commit(batch)
        self.flush()
        with self._naming_faults():
            return load_state(self._connection, self._tag, self.epoch)

    def commit(self, batch: CommitBatch) -> None:
        """Raises StoreConflict or StoreError, and then nothing of the batch is stored.

        In a group the records are not copied: whoever hands them in does not change them any more.
        """
        if batch.is_empty:
            return
        self._refuse_when_lost()
        check_whole(batch)
        if not self._is_grouped:
            alone = Pending.alone(batch, self._pending.at_ms)
            self._write(alone, on_disk=batch.must_be_on_disk)
            self._pending.at_ms = alone.at_ms
            return
        pending = self._pending
        try:
            check_fits(batch, pending, self._connection)
        except UNSTORABLE as error:
            raise store_fault(self.path, error) from error
        pending.merge(batch)
        for fill in batch.fills:
            self._known_fills.add((storable(fill.symbol), storable(fill.id)))
        for signal in batch.signals:
            self._known_signals.add(storable(signal.id))
        if pending.is_full:
            self.flush()

    def save_progress(self, progress: Progress) -> None:
        self.flush()
        self._transact(progress_writer(progress), on_disk=self._is_grouped)

    def flush(self) -> None:
        """Puts on disk what waits in memory; when that fails, all of it is lost and the store stops."""
        self._refuse_when_lost()
        if not self._pending.commits:
            return
        try:
            self._write(self._pending, on_disk=True)
        except BaseException:
            self._lost = (
                f"database {self.path}: a group of commits could not be written and was taken back; "
                "start again from what is on disk"
            )
            raise
        self._pending = Pending(self._pending.at_ms)

    def close(self) -> None:
        """Flushes, checkpoints the journal and releases the lock. A second call does nothing."""
        try:
            if not self._lost and self._lock.is_held:
                self.flush()
                self._checkpoint_journal()
        finally:
            if self._lock.is_held:
                close_marked(self._connection, self.path, self.epoch)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find_order(self, client_order_id: str) -> OrderRecord | None:
        order: OrderRecord | None = self._find("order", client_order_id)
        return order

    def find_position(self, position_id: str) -> PositionRecord | None:
        position: PositionRecord | None = self._find("position", position_id)
        return position

    def has_fill(self, symbol: str, fill_id: str) -> bool:
        if (symbol, fill_id) in self._pending.fills:
            return True
        key = storable(symbol), storable(fill_id)
        known = self._known_fills.has(key)
        return self._exists(_HAS_FILL, *key) if known is None else known

    def signal_was_offered(self, signal_id: str) -> bool:
        if signal_id in self._pending.signals:
            return True
        known = self._known_signals.has(storable(signal_id))
        return self._exists(_HAS_SIGNAL, storable(signal_id)) if known is None else known

    @property
    def tag(self) -> str:
        return self._tag

    def command_was_answered(self, command_id: str) -> bool:
        return self._exists(_HAS_COMMAND, storable(command_id))

    def _exists(self, query: str, *key: str) -> bool:
        try:
            return self._connection.execute(query, key).fetchone() is not None
        except sqlite3.Error as error:
            raise store_fault(self.path, error) from error

    def totals(self) -> Totals:
        return self._read(self._totals.read)

    def recent_orders(self, limit: int) -> list[OrderRecord]:
        return self._read(lambda connection: read_recent_orders(connection, limit))

    def unknown_since_ms(self, client_order_id: str) -> int | None:
        return self._read(lambda connection: read_unknown_since_ms(connection, client_order_id))

    def refusals(self) -> list[Refusal]:
        return self._read(read_refusals)

    def assessments(self) -> list[Assessment]:
        return self._read(read_assessments)

    def _read(self, ask: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        self.flush()
        with self._naming_faults():
            return ask(self._connection)

    def _find(self, machine: str, subject_id: str) -> Any:
        waiting = self._pending.records.get((machine, subject_id))
        if waiting is not None:
            return waiting[0].copy()
        with self._naming_faults():
            return find_one(self._connection, machine, storable(subject_id))

    def _write(self, pending: Pending, *, on_disk: bool) -> None:
        try:
            prepared = prepare(pending, self.epoch, self._head)
            self._transactions.run(prepared.write, on_disk=on_disk)
        except UNSTORABLE as error:
            raise store_fault(self.path, error) from error
        self._head = prepared.head

    def _checkpoint_journal(self) -> None:
        if read_last_checkpoint(self._connection).seq == self._head.seq:
            return
        values = (self._head.seq, self._head.hash, self._pending.at_ms)
        self._transact(lambda connection: connection.execute(INSERT_CHECKPOINT, values), on_disk=True)

    def _check_epoch(self) -> None:
        check_epoch(self._connection, self.path, self.epoch)

    def _transact(self, write: Write, *, on_disk: bool) -> None:
        self._refuse_when_lost()
        try:
            self._transactions.run(write, on_disk=on_disk)
        except UNSTORABLE as error:
            raise store_fault(self.path, error) from error

    def _refuse_when_lost(self) -> None:
        if self._lost:
            raise StoreError(self._lost)

    @contextmanager
    def _naming_faults(self) -> Iterator[None]:
        try:
            yield
        except UNSTORABLE as error:
            raise store_fault(self.path, error) from error
