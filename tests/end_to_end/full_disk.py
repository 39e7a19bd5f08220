"""A run on a disk that becomes full and is emptied again; to be started in a mount namespace of its own.

`unshare --map-root-user --mount python -m tests.end_to_end.full_disk DISK OUTSIDE`: the engine's database is
on the small disk, the paper exchange's file outside, since a full disk of ours does not stop an exchange.
"""

import errno
import subprocess
import sys
from pathlib import Path

from dirigent.proofs.death.book_keeping import differences
from dirigent.proofs.death.configurations import SYMBOLS, Market, only_leaving, restless
from dirigent.proofs.death.daemons import Daemon, Place, trading, wait_until
from persistence import queries

SIZE = "8M"
BLOCK = bytes(4096)


def play(disk: Path, outside: Path) -> None:
    """Raises AssertionError when the engine stops, loses something, or does not go on afterwards."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=True)
    market = Market(partial_fill_probability=0.2)
    place = Place.make(disk, restless(market))
    place.exchange_file.symlink_to(outside / "exchange.sqlite")
    with trading(place, log=outside / "daemon.log") as daemon:
        wait_until(lambda: len(queries.fills(place.database)) > 0, lambda: daemon.said, daemon.process)
        ballast = disk / "ballast"
        fill(ballast)
        wait_until(lambda: "commit_failed" in daemon.said, lambda: daemon.said, daemon.process)
        ballast.unlink()
        enough = len(queries.fills(place.database)) + 5
        wait_until(lambda: len(queries.fills(place.database)) > enough, lambda: daemon.said, daemon.process)
        assert daemon.stop() == 0, daemon.said
        assert "the disk is full" in daemon.said
        assert "Traceback" not in daemon.said
    place.configure(only_leaving(market, SYMBOLS))
    with Daemon(place, "--duration", "1.5", log=outside / "daemon.log") as daemon:
        assert daemon.wait() == 0, daemon.said
    assert differences(place.database, place.exchange_file) == []


def fill(ballast: Path) -> None:
    """Takes every free block."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(BLOCK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


if __name__ == "__main__":
    play(Path(sys.argv[1]), Path(sys.argv[2]))
