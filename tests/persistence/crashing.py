"""A process that commits in groups and is killed in the middle of one: `crashing.py DATABASE COMMITS`."""

import os
import signal
import sys
from pathlib import Path

from persistence.store import SqliteStore
from tests.persistence.deals import History, pair


def commit_and_die(path: Path, commits: int) -> None:
    """Each commit is one journal entry, and leaves its number as a fact."""
    history, store = History(), SqliteStore.open(path, durability="grouped")
    record = history.born(pair())
    for number in range(1, commits + 1):
        history.batch.facts["number"] = str(number)
        store.commit(history.take())
        record = history.moved(record, "idle" if record.state == "signalled" else "signalled")
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    commit_and_die(Path(sys.argv[1]), int(sys.argv[2]))
