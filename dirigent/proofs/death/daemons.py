"""The real process: started as a person starts it, listened to, signalled and killed by its own id."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dirigent.venues import paper_file
from persistence.lock import holder_pid

ROOT = Path(__file__).resolve().parents[3]
COMMAND = (sys.executable, "-m", "dirigent.command_line")
DATABASE = "engine.sqlite"
PATIENCE_S = 20.0
"""For what happens at once on an idle machine; whoever runs into it has failed."""


class DaemonFault(Exception):
    """A process did not do what it was waited for; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Place:
    """A directory with a configuration, a database and the paper exchange's file."""

    directory: Path

    @classmethod
    def make(cls, directory: Path, configuration: str) -> Self:
        place = cls(directory)
        place.configure(configuration)
        return place

    def configure(self, configuration: str) -> None:
        text = f'database = "{DATABASE}"\n{configuration}'
        (self.directory / "dirigent.toml").write_text(text)

    @property
    def database(self) -> Path:
        return self.directory / DATABASE

    @property
    def exchange_file(self) -> Path:
        return paper_file(self.database)

    def run(
        self, *arguments: str, before: tuple[str, ...] = (), patience_s: float = PATIENCE_S
    ) -> subprocess.CompletedProcess[str]:
        """A command from its start to its end, `before` in front of it."""
        return subprocess.run(
            [*before, *COMMAND, *arguments],
            cwd=self.directory,
            env=surroundings(),
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )

    def document(self, *arguments: str, patience_s: float = PATIENCE_S) -> Any:
        ended = self.run(*arguments, "--json", patience_s=patience_s)
        if ended.returncode != 0:
            raise DaemonFault(f"dirigent {' '.join(arguments)}: {ended.stderr}")
        return json.loads(ended.stdout)


def surroundings() -> dict[str, str]:
    """The environment of every process: the checkout, and nothing of whoever runs the tests."""
    return {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "PYTHONUNBUFFERED": "1"}


class Daemon:
    """One `dirigent trade`. It is killed at the end of the `with` unless it has ended before."""

    def __init__(
        self,
        place: Place,
        *arguments: str,
        module: str = COMMAND[-1],
        module_words: tuple[str, ...] = (),
        log: Path | None = None,
    ) -> None:
        self.place = place
        self._heard = log or place.directory / "daemon.log"
        with self._heard.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *module_words, "trade", *arguments],
                cwd=place.directory,
                env=surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.process.poll() is None:
            self.kill()

    @property
    def said(self) -> str:
        return self._heard.read_text()

    def has_database(self) -> bool:
        """From the moment at which its resumption begins."""
        return holder_pid(self.place.database) == self.process.pid

    def is_trading(self) -> bool:
        said = self.said
        return any(f"dirigent: {mode} trading of" in said for mode in ("paper", "live"))

    def wait_until_trading(self) -> None:
        wait_until(self.is_trading, lambda: f"the daemon does not trade: {self.said}", self.process)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()


@contextmanager
def trading(place: Place, *arguments: str, log: Path | None = None) -> Iterator[Daemon]:
    """A daemon that has begun to trade."""
    with Daemon(place, *arguments, log=log) as daemon:
        daemon.wait_until_trading()
        yield daemon


def wait_until(
    holds: Callable[[], bool], complaint: Callable[[], str], process: subprocess.Popen[bytes] | None = None
) -> None:
    """Asks again and again; fails when the patience is over or the process has ended."""
    until_s = time.monotonic() + PATIENCE_S
    while not holds():
        ended = process is not None and process.poll() is not None
        if ended and holds():
            return
        if ended or time.monotonic() > until_s:
            raise DaemonFault(complaint())
        time.sleep(0.01)
