"""The real daemon with everything on: it is scraped, people are told, and a channel that hangs holds up nothing."""

import re
import time
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Place, trading, wait_until
from tests.alerts.listeners import TOKEN, Listener, listening


def test_a_daemon_is_scraped_and_tells_people_and_ends_in_time_though_a_channel_hangs(tmp_path: Path) -> None:
    with listening(Listener()) as good, listening(Listener(is_deaf=True)) as deaf:
        watching = (
            f'\n[metrics]\nport = 0\n[alerts]\nurls = ["{good.url}", "{deaf.url}"]\ngroup_s = 0.1\n'
            'messages_per_hour = 1000\n[logging]\nlevel = "DEBUG"\n'
        )
        place = Place.make(tmp_path, restless(Market(ticks_per_s=60)) + watching)
        with trading(place) as daemon:
            address = re.compile(r"metrics_served .*address=(\S+)")
            wait_until(lambda: address.search(daemon.said) is not None, lambda: daemon.said, daemon.process)
            wait_until(lambda: "exit" in str(good.messages), lambda: "nobody was told", daemon.process)
            wait_until(deaf.heard.is_set, lambda: "the deaf channel was not asked", daemon.process)
            found = address.search(daemon.said)
            assert found is not None
            with urlopen(found[1], timeout=10) as answer:
                families = {one.name: one for one in text_string_to_metric_families(answer.read().decode())}
            assert families["dirigent_ticks"].samples[0].value > 0
            assert families["dirigent_transitions"].samples
            asked_s = time.monotonic()
            assert daemon.stop() == 0, daemon.said
            assert time.monotonic() - asked_s < 6
            assert deaf.messages == []
            assert deaf.asked == 1
        told = len(good.messages)
        with trading(place) as daemon:
            wait_until(lambda: len(good.messages) > told, lambda: "nobody was told", daemon.process)
            assert daemon.stop() == 0, daemon.said
            said = daemon.said
    assert re.search(r"closed: [+-]", good.bodies)
    orders = re.findall(r"\(order (\w+)\)", good.bodies)
    whole = [line for line in good.bodies.splitlines() if "(order" in line and "the rest is open" not in line]
    assert len(orders) >= len(whole) == len(set(whole))
    for file in tmp_path.iterdir():
        assert TOKEN.encode() not in file.read_bytes() or file.name == "dirigent.toml", file.name
    assert TOKEN not in said
