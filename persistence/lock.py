"""One writer a database: a lock on `<database>.lock`, which the kernel releases when its holder dies."""

import fcntl
import os
import time
from pathlib import Path

from fsm.commit import StoreError

_ATTEMPTS = 5
_PAUSE_S = 0.01
"""Who asks whether the engine runs holds the lock for some microseconds; that must not cost a start."""


class DatabaseLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, database: Path) -> "DatabaseLock":
        """Raises StoreError, naming the holder, when another process has the lock."""
        path = lock_path(database)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(
                f"database {database}: its lock file {path} cannot be written ({error.strerror}); "
                "give this user the right to write in that directory"
            ) from error
        if not _try_lock(descriptor, fcntl.LOCK_EX):
            holder = _read_pid(descriptor)
            os.close(descriptor)
            who = f"process {holder}" if holder else "another process"
            raise StoreError(
                f"database {database}: {who} is using it; stop that engine first, or name another database"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(path, descriptor)

    @property
    def is_held(self) -> bool:
        return self._descriptor >= 0

    def release(self) -> None:
        """The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def holder_pid(database: Path) -> int | None:
    """The process that writes this database now; None when there is none."""
    try:
        descriptor = os.open(lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_pid(descriptor)
        return None
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, operation: int) -> bool:
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _read_pid(descriptor: int) -> int:
    """0 when the holder has not written its number yet."""
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else 0
