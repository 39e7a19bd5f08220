"""A folder with an engine on the paper exchange, in which the commands of the documents are typed."""

import re
import signal
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from dirigent.proofs.death.daemons import COMMAND, Daemon, Place, surroundings, wait_until
from persistence import queries
from tests.command_line.running import invoke

CONFIGURATION = """
[paper]
ticks_per_s = 50
latency_ms_min = 1
latency_ms_max = 5
spread = "0.02"
[risk]
max_open_deals = 100
max_spread = "off"
[[pairs]]
symbol = "BTC/USDT"
strategy = "external"
max_deals = 50
[[pairs]]
symbol = "ETH/USDT"
strategy = "external"
order_type = "limit"
max_deals = 50
"""
"""Nobody signals but people; what is bought at the market fills at once, and what has a limit rests in the spread."""

MARKET, LIMITED = "BTC/USDT", "ETH/USDT"

_POSITION = re.compile(r"[a-z][a-z0-9]{4}[0-9a-z]{6}(?=e\d{4}$|x\d{4}$|$)")
_ORDER = re.compile(_POSITION.pattern + r"[ex]\d{4}$")
_AGO = re.compile(r"-\d+[smhd]")
_DEPOSIT = Decimal(50)


class Stage:
    """The engine is started and stopped as a command needs it; ids of the documents become those of this place."""

    def __init__(self, directory: Path) -> None:
        self.place = Place(directory)
        self.daemon: Daemon | None = None
        (directory / "backups").mkdir()

    def type(self, words: list[str]) -> str:
        """What was wrong with it; empty when its exit code was 0."""
        command = words[0]
        if command == "init":
            return self._begun(words)
        if command == "trade":
            self.stop()
            if len(words) == 1:
                self.start()
                return ""
            return self._spawned([*words[:1], "--duration", "0.5"])
        if command == "exchange":
            return self._spawned([*_without(words, "--duration"), "--port", "0", "--duration", "0.5"])
        if "--watch" in words or "--follow" in words:
            return self._interrupted(words)
        return self._invoked(self._prepared(words))

    def start(self) -> None:
        if self.daemon is None:
            self.daemon = Daemon(self.place)
            self.daemon.wait_until_trading()

    def stop(self) -> None:
        if self.daemon is not None:
            assert self.daemon.stop() == 0, self.daemon.said
            self.daemon = None

    def _begun(self, words: list[str]) -> str:
        """The document's own configuration is written; then a quieter one takes its place."""
        wrong = self._invoked(words)
        self.place.configure(CONFIGURATION)
        return wrong

    def _prepared(self, words: list[str]) -> list[str]:
        """What has to be there is there, what would be overwritten is not, and the ids are real."""
        command = words[0]
        offline = command == "restore" or (command == "reconcile" and "--plan" not in words)
        if command == "backup":
            self._hold()
        if command in _STEERING:
            self.start()
            self._settled()
        if offline:
            self.stop()
            words = [*_without(words, "--yes", 0), "--yes"]  # who types it answers the question
        elif any(_POSITION.match(word) for word in words):
            self._hold()
        if "--adopt" in words and "USDT" in words:
            self._deposit()
        for name in _written(words):
            (self.place.directory / name).unlink(missing_ok=True)
        return [self._real(word, command) for word in words]

    def _real(self, word: str, command: str) -> str:
        if _AGO.fullmatch(word):
            return "-1s"  # the books here are younger than the reader's
        if _ORDER.match(word):
            return self._resting() if command == "cancel-order" else self._orders()[-1]["client_order_id"]
        return self._held()[0] if _POSITION.fullmatch(word) else word

    def _held(self) -> list[str]:
        return [row["id"] for row in self._positions() if (row["symbol"], row["state"]) == (MARKET, "open")]

    def _hold(self) -> None:
        """At least one position that is open."""
        if not self._has_traded() or not self._held():
            self.start()
            self._enter(MARKET)
            wait_until(lambda: bool(self._held()), lambda: "nothing was bought")

    def _resting(self) -> str:
        def found() -> list[str]:
            return [row["client_order_id"] for row in self._orders() if row["state"] == "working"]

        if not found():
            self._enter(LIMITED)
            wait_until(lambda: bool(found()), lambda: "no order rests")
        return found()[-1]

    def _enter(self, symbol: str) -> None:
        done = invoke("force-enter", symbol, "--yes")
        assert done.exit_code == 0, done.output

    def _settled(self) -> None:
        """Nothing is on its way that a command would have to wait for."""
        moving = {"submitting", "cancelling", "unknown"}
        wait_until(
            lambda: not any(row["state"] in moving for row in self._orders()), lambda: "an order does not end"
        )

    def _deposit(self) -> None:
        """Money comes to the account that the engine knows nothing of."""
        with closing(sqlite3.connect(self.place.exchange_file)) as connection, connection:
            (free,) = connection.execute("SELECT free FROM balances WHERE currency = 'USDT'").fetchone()
            connection.execute(
                "UPDATE balances SET free = ? WHERE currency = 'USDT'", (str(Decimal(free) + _DEPOSIT),)
            )

    def _has_traded(self) -> bool:
        return self.place.database.exists()

    def _positions(self) -> Sequence[Any]:
        return queries.positions(self.place.database)

    def _orders(self) -> Sequence[Any]:
        return queries.orders(self.place.database)

    def _invoked(self, words: list[str]) -> str:
        done = invoke(*words)
        return "" if done.exit_code == 0 else f"exit code {done.exit_code}: {done.output}"

    def _spawned(self, words: list[str]) -> str:
        done = self.place.run(*words)
        return "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr}"

    def _interrupted(self, words: list[str]) -> str:
        """It says something until Ctrl-C, which is no failure."""
        with subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.place.directory,
            env=surroundings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=20)
        failed = process.returncode != 0 or not said.strip()
        return f"exit code {process.returncode}: {said}{rest}" if failed else ""


_STEERING = {"halt", "resume", "stop-entry", "force-enter", "force-exit", "cancel-order", "reload"}


def _without(words: list[str], option: str, values: int = 1) -> list[str]:
    if option not in words:
        return list(words)
    at = words.index(option)
    return [*words[:at], *words[at + 1 + values :]]


def _written(words: list[str]) -> list[str]:
    """The files that the command makes, and never over one that exists."""
    if words[0] == "backup":
        return [words[1]]
    return [words[words.index("--output") + 1]] if "--output" in words else []
