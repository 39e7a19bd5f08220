"""The machine's power: of the write-ahead log everything up to the last sync is there, and a torn rest.

`python -m dirigent.proofs.death.power NOTE trade ...` is the command itself, which notes after each synced
commit how far the log reached. SQLite syncs the log before it copies pages of it into the database, so what a
checkpoint has copied counts as synced, too.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Self

from dirigent.command_line import main
from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Daemon, Place, wait_until
from dirigent.proofs.death.remains import copy_place
from dirigent.proofs.death.settling import settled_differences
from dirigent.proofs.death.wal import LogState, log_state, open_index, read_index, wal_end
from dirigent.proofs.methods import replace_method
from fsm.commit import StoreError
from persistence import queries
from persistence.store import SqliteStore
from persistence.transactions import Transactions, Write
from persistence.verification import verify
from services.exchanges.paper_file import audit

_CHILD = "dirigent.proofs.death.power"
_ENOUGH_TRADES = 8


@dataclass(frozen=True, slots=True)
class Tail:
    """What of a log may be lost with the power: the bytes from `start` to `end`."""

    start: int
    end: int

    @classmethod
    def of(cls, database: Path, note: Path) -> Self:
        """Of a database whose engine was killed, and which nobody has opened since."""
        now, synced = log_state(database), LogState.read(note)
        frames = max(now.copied, synced.frames if synced.salts == now.salts else 0)
        return cls(wal_end(frames, now.page_size), wal_end(now.frames, now.page_size))


@dataclass(frozen=True, slots=True)
class PowerReport:
    deaths: int
    cuts: int
    tail_bytes_max: int
    fills_lost: int
    """Booked trades that a cut took away, and which a restart had to learn anew."""
    restarts: int
    wrong: list[str]


def cut_the_power(directory: Path, deaths: int, cuts: int, seed: int) -> PowerReport:
    """After each of `deaths` kills the log is cut `cuts` times; one cut of each death is traded on."""
    random = Random(seed)
    market = Market(seed=seed)
    (directory / "engine").mkdir(parents=True)
    place = Place.make(directory / "engine", restless(market))
    made = fills_lost = tail_max = 0
    wrong: list[str] = []
    for death in range(deaths):
        tail = die_with_a_tail(place, directory / "synced", random)
        tail_max = max(tail_max, tail.end - tail.start)
        drawn = [random.randint(tail.start, tail.end) for _ in range(cuts - 1)]
        for number, length in enumerate([tail.start, *drawn]):
            copy = copy_place(place, directory / f"cut{death}-{number}")
            whole = len(queries.fills(copy_place(place, directory / f"whole{death}-{number}").database))
            wrong += [f"cut at byte {length}: {one}" for one in read_after_cut(copy, length)]
            made += 1
            fills_lost += whole - len(queries.fills(copy.database))
            if number == 0:
                wrong += [f"after a cut at byte {length}: {one}" for one in settled_differences(copy, market)]
    return PowerReport(deaths, made, tail_max, fills_lost, deaths, wrong)


def die_with_a_tail(place: Place, note: Path, random: Random) -> Tail:
    """Kills when bytes of the log are not synced; asks at random moments, so that the tail is any."""
    with Daemon(place, module=_CHILD, module_words=(str(note),)) as daemon:
        daemon.wait_until_trading()
        before = len(queries.fills(place.database))
        enough = before + random.randint(1, _ENOUGH_TRADES)

        def has_tail() -> bool:
            if len(queries.fills(place.database)) < enough:
                return False
            tail = Tail.of(place.database, note)
            return tail.end > tail.start

        wait_until(has_tail, lambda: f"no unsynced tail: {daemon.said}", daemon.process)
        daemon.kill()
    return Tail.of(place.database, note)


def read_after_cut(copy: Place, length: int) -> list[str]:
    """Cuts the log, opens the database, and says in words what is wrong with it."""
    log = copy.database.with_name(copy.database.name + "-wal")
    with log.open("r+b") as file:
        file.truncate(length)
    try:
        with SqliteStore.open(copy.database) as store:
            store.load()
    except StoreError as error:
        return [f"not opened: {error}"]
    difference = verify(copy.database).difference
    ours = {order["client_order_id"] for order in queries.orders(copy.database)}
    left = [order.client_order_id for order in audit(copy.exchange_file).orders]
    lost = [f"order {name} had left and is not in the store" for name in left if name not in ours]
    return lost if difference is None else [difference, *lost]


def _note_syncs(note: Path) -> None:
    run = Transactions.run
    index: int | None = None

    def noting(self: Transactions, write: Write, *, on_disk: bool) -> None:
        nonlocal index
        run(self, write, on_disk=on_disk)
        if on_disk:
            if index is None:
                (row,) = self._connection.execute("PRAGMA database_list").fetchall()
                index = open_index(Path(row[2]))
            read_index(index).write(note)

    replace_method(Transactions, "run", noting)


if __name__ == "__main__":
    _note_syncs(Path(sys.argv[1]))
    main(sys.argv[2:])
