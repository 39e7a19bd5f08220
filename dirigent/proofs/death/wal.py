"""How far a write-ahead log reaches, from SQLite's index of it (`-shm`), without opening the database.

The index begins with WalIndexHdr: page size at byte 14, last valid frame at 16, the log's salts at 32; at 96
begins WalCkptInfo: frames copied, five marks of readers, eight locks, and at 128 the frames whose copying began.
Numbers are in the machine's own order.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HEADER_SIZE = 32
_FRAME_HEADER_SIZE = 24
_STATE = struct.Struct("=II8s")


@dataclass(frozen=True, slots=True)
class LogState:
    """`frames` are in the log; `copied` of them may be in the database already. New salts begin a log anew."""

    frames: int
    copied: int
    salts: bytes
    page_size: int = 0

    def write(self, path: Path) -> None:
        """In one piece, so that a death leaves the old state or the new one."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, _STATE.pack(self.frames, self.copied, self.salts), 0)
        finally:
            os.close(descriptor)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Nothing was synced where there is no note."""
        return cls(*_STATE.unpack(path.read_bytes())) if path.exists() else cls(0, 0, b"")


def open_index(database: Path) -> int:
    """A descriptor of the index. Closing it takes from the whole process its locks on the file: a process that
    has the database open must keep it."""
    return os.open(database.with_name(database.name + "-shm"), os.O_RDONLY | os.O_CLOEXEC)


def read_index(descriptor: int) -> LogState:
    index = os.pread(descriptor, 136, 0)
    (page_size,) = struct.unpack_from("=H", index, 14)
    (frames,) = struct.unpack_from("=I", index, 16)
    (copied,) = struct.unpack_from("=I", index, 128)
    return LogState(frames, copied, index[32:40], 65536 if page_size == 1 else page_size)


def log_state(database: Path) -> LogState:
    """For a process that has not opened the database."""
    descriptor = open_index(database)
    try:
        return read_index(descriptor)
    finally:
        os.close(descriptor)


def wal_end(frames: int, page_size: int) -> int:
    """The byte behind so many frames."""
    return HEADER_SIZE + frames * (_FRAME_HEADER_SIZE + page_size)
