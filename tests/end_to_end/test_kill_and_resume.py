"""Killed at any moment, the same command goes on: no order lost, none sent twice."""

import time
from pathlib import Path
from random import Random

import pytest

from dirigent.proofs.death.book_keeping import differences
from dirigent.proofs.death.configurations import Market, only_leaving, restless
from dirigent.proofs.death.daemons import COMMAND, Daemon, Place
from fsm.order import ENGINE_RESTARTED
from persistence import journal_queries, queries
from services.exchanges.paper_file import audit

SLOW_NEWS = "tests.end_to_end.slow_news"


@pytest.mark.parametrize(
    ("seed", "kills", "fee_in", "module"),
    [(20240501, 10, "quote", COMMAND[-1]), (20240502, 4, "base", SLOW_NEWS)],
    ids=["ten kills, fee in quote", "four kills, fee in base, slow news"],
)
def test_kills_lose_no_order_and_send_none_twice(
    tmp_path: Path, seed: int, kills: int, fee_in: str, module: str
) -> None:
    print(f"seed {seed}")
    random = Random(seed)
    market = Market(seed=seed, fee_in=fee_in)
    place = Place.make(tmp_path, restless(market))
    for number in range(kills):
        with Daemon(place, module=module) as daemon:
            if number % 3:
                daemon.wait_until_trading()
            time.sleep(random.uniform(0.02, 0.5))
            assert daemon.process.poll() is None, daemon.said
            daemon.kill()
    assert audit(place.exchange_file).differences() == []
    events = [entry["event"] for entry in journal_queries.entries(place.database)]
    assert ENGINE_RESTARTED in events, "no kill met an order under way"

    with Daemon(place) as daemon:
        daemon.wait_until_trading()
        assert "resumed in" in daemon.said
        assert daemon.stop() == 0, daemon.said
    place.configure(only_leaving(market))
    with Daemon(place, "--duration", "1.2") as daemon:
        assert daemon.wait() == 0, daemon.said

    assert place.run("verify").returncode == 0
    assert differences(place.database, place.exchange_file) == []
    assert len(queries.fills(place.database)) > 2 * kills
