"""The real engine under command is killed, by others and in its own hand: each command is carried out exactly once."""

import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

from dirigent.proofs.death.boundaries import BOUNDARIES
from dirigent.proofs.death.configurations import Market, only_leaving
from dirigent.proofs.death.daemons import Daemon, Place, trading, wait_until
from dirigent.proofs.death.killing import BOUNDARIES_CHILD
from persistence import commands, journal_queries
from persistence.commands import Command

QUIET = Market(ticks_per_s=20)
SYMBOLS = ("BTC/USDT", "ETH/USDT")
AROUND_THE_COMMIT = ("before commit", "in commit", "after commit")


def give(place: Place, kind: str) -> Command:
    return commands.give(place.database, kind, {}, "Ada")


def require_once(place: Place, given: list[Command]) -> None:
    """Every command has one answer, and the journal has its move once: the notes name the command."""
    assert commands.waiting(place.database) == []
    with closing(sqlite3.connect(place.database)) as connection:
        answered = [row[0] for row in connection.execute("SELECT id FROM commands ORDER BY rowid")]
    assert answered == [command.id for command in given], "each once, in the order in which they were given"
    notes = [row["note"] for row in journal_queries.entries(place.database) if "(command " in row["note"]]
    named = Counter(note.rpartition("(command ")[2].removesuffix(")") for note in notes)
    assert named == dict.fromkeys(answered, 1)
    assert place.run("verify").returncode == 0


def test_a_death_before_in_and_after_the_commit_of_a_command(tmp_path: Path) -> None:
    place = Place.make(tmp_path, only_leaving(QUIET, SYMBOLS))
    with trading(place) as daemon:
        assert daemon.stop() == 0
    given = []
    for number, boundary in enumerate(AROUND_THE_COMMIT):
        assert boundary in BOUNDARIES
        given.append(give(place, "resume" if number % 2 else "halt"))
        with Daemon(place, module=BOUNDARIES_CHILD, module_words=(boundary, "1")) as daemon:
            assert daemon.wait() == -signal.SIGKILL, daemon.said
        answered = commands.answer_to(place.database, given[0].id) is not None
        assert answered == (boundary == "after commit"), boundary
        assert len(commands.waiting(place.database)) == len(given) - answered
    with trading(place) as daemon:
        assert daemon.stop() == 0
    require_once(place, given)


def test_kills_at_any_moment_of_a_stream_of_commands(tmp_path: Path) -> None:
    seed = 20260131
    print(f"seed {seed}")
    random = Random(seed)
    place = Place.make(tmp_path, only_leaving(QUIET, SYMBOLS))
    with trading(place) as daemon:
        assert daemon.stop() == 0
    given: list[Command] = []
    enough = threading.Event()

    def keep_giving() -> None:
        while not enough.is_set():
            given.append(give(place, ("halt", "resume")[len(given) % 2]))
            time.sleep(0.01)

    giver = threading.Thread(target=keep_giving)
    giver.start()
    try:
        for _ in range(3):
            with Daemon(place) as daemon:
                daemon.wait_until_trading()
                time.sleep(random.uniform(0, 0.4))
                daemon.kill()
    finally:
        enough.set()
        giver.join()
    with trading(place) as daemon:
        wait_until(
            lambda: commands.waiting(place.database) == [], lambda: "not all were answered", daemon.process
        )
        assert daemon.stop() == 0
    assert len(given) > 20
    require_once(place, given)
