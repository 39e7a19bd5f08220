"""One writer a database: a second is refused, and a killed one is never waited for."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fsm.commit import CommitBatch, StoreError
from persistence import queries
from persistence.lock import holder_pid, lock_path
from persistence.store import SqliteStore
from persistence.verification import verify

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from persistence.store import SqliteStore
from tests.persistence.deals import History, pair

store = SqliteStore.open(sys.argv[1])
history = History()
record = history.born(pair())
while True:
    store.commit(history.take())
    print(record.version, flush=True)
    record = history.moved(record, "signalled" if record.state == "idle" else "idle")
"""


def start_writer(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def read_version(writer: "subprocess.Popen[str]") -> int:
    assert writer.stdout is not None
    return int(writer.stdout.readline())


def test_a_second_writer_is_refused_and_told_who_the_first_is(path: Path) -> None:
    with SqliteStore.open(path):
        with pytest.raises(StoreError, match=f"process {os.getpid()} is using it; stop that engine first"):
            SqliteStore.open(path)
        assert holder_pid(path) == os.getpid()
    assert holder_pid(path) is None
    SqliteStore.open(path).close()


def test_a_failed_start_leaves_the_lock_free(path: Path) -> None:
    with SqliteStore.open(path) as store:
        store.commit(CommitBatch(facts={"something": "happened"}))
    with pytest.raises(StoreError):
        SqliteStore.open(path, mode="live")
    assert holder_pid(path) is None


def test_a_closed_store_may_be_closed_again(path: Path) -> None:
    store = SqliteStore.open(path)
    store.close()
    store.close()
    with SqliteStore.open(path) as other:
        store.close()
        assert holder_pid(path) == os.getpid()
        other.load()


def test_without_a_lock_file_nobody_writes(path: Path) -> None:
    assert holder_pid(path) is None
    assert not lock_path(path).exists()


def test_a_killed_writer_loses_nothing_and_blocks_nobody(path: Path) -> None:
    with start_writer(path) as writer:
        try:
            for _ in range(1_200):
                seen = read_version(writer)
            with pytest.raises(StoreError, match=f"process {writer.pid} is using it"):
                SqliteStore.open(path)
            assert queries.status(path)["pid"] == writer.pid
            assert verify(path).is_whole
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    assert queries.status(path)["running"] is False
    with SqliteStore.open(path) as store:
        assert store.load().pairs[0].version >= seen
    assert verify(path).is_whole
