"""The disk under the real store: it fills up, refuses, loses what was not synced at a power cut, and tears it."""

import shutil
from pathlib import Path
from typing import Protocol

from dirigent.proofs.simulation.virtual_loop import ProcessDied
from dirigent.proofs.simulation.world import World
from fsm.commit import CommitBatch, Progress, StoredState, StoreError, Totals
from fsm.records import OrderRecord, PositionRecord
from persistence.store import SqliteStore

TAG = "simul"


class Watching(Protocol):
    """Whoever is told of what the disk has taken."""

    def committed(self, batch: CommitBatch) -> None: ...

    def synced(self) -> None:
        """No power cut takes back what was committed until now."""


class Disk:
    """The database's files through all lives of the process: each death leaves a copy for the next life."""

    def __init__(self, world: World, directory: Path, template: Path) -> None:
        self._world = world
        self._directory = directory
        self._life = 0
        self.path = directory / "life0.sqlite"
        self.synced_bytes = 0
        """So much of the write-ahead log is sure to survive a power cut."""
        self.fault = ""
        shutil.copyfile(template, self.path)

    def open(self, watching: "Watching") -> "SimulatedStore":
        store = SqliteStore.open(self.path, tag=TAG)
        self.sync()
        return SimulatedStore(self, store, self._world, watching)

    @property
    def log(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def sync(self) -> None:
        self.synced_bytes = self._log_bytes()

    def _log_bytes(self) -> int:
        try:
            return self.log.stat().st_size
        except FileNotFoundError:
            return 0

    def crash(self, store: "SimulatedStore", *, power_lost: bool) -> None:
        """What the next life finds. With the power goes a part of what was written since the last sync."""
        old, old_log = self.path, self.log
        written = self._log_bytes()
        kept = written
        if power_lost and written > self.synced_bytes:
            kept = self._world.faults.stream("power_lost").randint(self.synced_bytes, written)
            self._world.faults.counts["log_torn"] += kept < written
            self._world.tell(f"the log keeps {kept} of {written} bytes, {self.synced_bytes} were synced")
        self._life += 1
        self.path = self._directory / f"life{self._life}.sqlite"
        shutil.copyfile(old, self.path)
        if written:
            self.log.write_bytes(old_log.read_bytes()[:kept])
        store.close()
        for leftover in self._directory.glob(old.name + "*"):
            leftover.unlink()
        self.synced_bytes = kept

    def fail_for(self, fault: str, duration_s: float) -> None:
        self.fault = fault
        self._world.after(duration_s, self.recover)

    def recover(self) -> None:
        self.fault = ""


class SimulatedStore:
    """The real store of one life, on the simulated disk. A Store and an Archive."""

    def __init__(self, disk: Disk, store: SqliteStore, world: World, watching: "Watching") -> None:
        self._on_commit = watching.committed
        self._on_sync = watching.synced
        self._disk = disk
        self._store = store
        self._world = world

    def load(self) -> StoredState:
        return self._store.load()

    def commit(self, batch: CommitBatch) -> None:
        world, disk = self._world, self._disk
        self._refuse_on_fault()
        if world.happens("disk_full"):
            disk.fail_for("the disk is full", 1 + 20 * world.faults.stream("disk_full").random())
        elif world.happens("disk_read_only"):
            disk.fail_for("it is read-only", 1 + 20 * world.faults.stream("disk_read_only").random())
        self._refuse_on_fault()
        if world.happens("death_before_commit"):
            raise ProcessDied
        self._store.commit(batch)
        if world.happens("death_in_commit"):
            raise ProcessDied
        self._on_commit(batch)
        if batch.must_be_on_disk:
            disk.sync()
            self._on_sync()
        if batch.outbox and world.happens("death_after_commit"):
            raise ProcessDied

    def _refuse_on_fault(self) -> None:
        if self._disk.fault:
            raise StoreError(f"database {self._disk.path.name}: {self._disk.fault}")

    def save_progress(self, progress: Progress) -> None:
        self._refuse_on_fault()
        self._store.save_progress(progress)

    def close(self) -> None:
        self._store.close()

    def find_order(self, client_order_id: str) -> OrderRecord | None:
        return self._store.find_order(client_order_id)

    def find_position(self, position_id: str) -> PositionRecord | None:
        return self._store.find_position(position_id)

    def has_fill(self, symbol: str, fill_id: str) -> bool:
        return self._store.has_fill(symbol, fill_id)

    def signal_was_offered(self, signal_id: str) -> bool:
        return self._store.signal_was_offered(signal_id)

    @property
    def tag(self) -> str:
        return self._store.tag

    @property
    def epoch(self) -> int:
        return self._store.epoch

    def command_was_answered(self, command_id: str) -> bool:
        return self._store.command_was_answered(command_id)

    def totals(self) -> Totals:
        return self._store.totals()

    def recent_orders(self, limit: int) -> list[OrderRecord]:
        return self._store.recent_orders(limit)

    def unknown_since_ms(self, client_order_id: str) -> int | None:
        return self._store.unknown_since_ms(client_order_id)
