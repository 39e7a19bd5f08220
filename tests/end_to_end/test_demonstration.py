"""What a newcomer sees who configures nothing."""

import time
from pathlib import Path

from dirigent.proofs.death.daemons import Daemon, Place


def test_the_demonstration_closes_its_first_deal_within_half_a_minute(tmp_path: Path) -> None:
    place = Place(tmp_path)
    database = ("--db", str(place.database))
    with Daemon(place, *database) as daemon:
        until_s = time.monotonic() + 30
        closed: list[object] = []
        while not closed:
            assert time.monotonic() < until_s, f"no deal was closed within 30 s: {daemon.said}"
            assert daemon.process.poll() is None, daemon.said
            time.sleep(0.5)
            if place.database.exists() and daemon.is_trading():
                positions = place.document("positions", *database)
                closed = [position for position in positions if position["state"] == "closed"]
        assert daemon.stop() == 0, daemon.said
    assert place.run("verify", *database).returncode == 0
