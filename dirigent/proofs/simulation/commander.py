"""A person with a terminal: commands that outlive every process, and what must have become of each."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from dirigent.proofs.simulation.world import World
from persistence.commands import Command

_KINDS = ("halt", "stop-entry", "resume", "resume", "force-enter", "force-enter", "force-exit")
_LIFE_MS = 20_000
"""Of what moves money."""
_TAKES = ("halt_ordered", "entries_stopped", "resumed", "exit_triggered")


class Commander:
    """Gives commands whether or not an engine runs, and hears only what is on disk."""

    def __init__(self, world: World, symbols: list[str], tag: str) -> None:
        self._world = world
        self._symbols = symbols
        self._tag = tag
        self._dice = Random(f"{world.seed}:commander")
        self.given: list[Command] = []
        self.told: set[str] = set()
        """The commands whose answers were seen."""

    def give(self) -> None:
        kind = self._dice.choice(_KINDS)
        symbol: str | None = self._dice.choice(self._symbols)
        arguments: dict[str, object] = {"symbol": symbol}
        if kind == "force-exit":
            arguments = {"id": "all"}
        elif kind == "resume":
            arguments = {"symbol": "all"}
        elif kind != "force-enter" and self._dice.random() < 0.5:
            arguments = {}
        moves_money = kind.startswith("force")
        now_ms = self._world.now_ms()
        expires_at_ms = now_ms + _LIFE_MS if moves_money else None
        identity = f"c{len(self.given)}"
        self.given.append(Command(identity, kind, arguments, "simulated", now_ms, expires_at_ms, self._tag))
        self._world.count("command")
        self._world.tell(f"command {identity}: {kind} {arguments}")

    def differences(self, path: Path) -> Iterator[str]:
        """Each command has one answer, keeps the one that was seen, and was carried out once at most."""
        with closing(sqlite3.connect(path)) as books:
            answered = {row[0] for row in books.execute("SELECT id FROM commands")}
            notes = books.execute("SELECT note, subject_id, event FROM journal WHERE note LIKE '%(command %'")
            moves = Counter(row for row in notes if row[2] in _TAKES)
            entered = Counter(row[0] for row in books.execute("SELECT signal_id FROM positions"))
        for command in self.given:
            if command.id not in answered:
                seen = ", and its answer was seen" if command.id in self.told else ""
                yield f"command {command.id} ({command.kind}) has no answer{seen}"
            if entered[f"command:{command.id}"] > 1:
                yield f"command {command.id} entered {entered[f'command:{command.id}']} times"
        for (note, subject, event), times in moves.items():
            if times > 1:
                yield f"{event} of {subject} was done {times} times: {note}"


class Post:
    """The inbox of one life of the process: everything that was given is there at its first look."""

    def __init__(self, commander: Commander) -> None:
        self._commander = commander
        self._read = 0

    def read(self) -> list[Command]:
        new = self._commander.given[self._read :]
        self._read += len(new)
        return new
