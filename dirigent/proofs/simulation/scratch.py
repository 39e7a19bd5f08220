"""Where histories keep their files while they last."""

import tempfile
from pathlib import Path

from dirigent.proofs.simulation.disk import TAG
from persistence.store import SqliteStore


class Scratch:
    """A directory in memory where the machine has one, and an empty database to begin every history with."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        parent = memory if memory.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="dirigent-simulation-", dir=parent)
        self.path = Path(self._folder.name)
        self.template = self.path / "template.sqlite"
        SqliteStore.open(self.template, tag=TAG).close()

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
