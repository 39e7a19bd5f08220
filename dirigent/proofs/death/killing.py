"""Deaths of the real process, by SIGKILL: at random moments from outside, and from inside at each boundary."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from dirigent.proofs.death.boundaries import BOUNDARIES
from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import COMMAND, Daemon, DaemonFault, Place, wait_until
from dirigent.proofs.death.remains import NEVER_ARRIVED, orders_under_way
from dirigent.proofs.death.settling import settled_differences
from fsm.order import REJECTED
from persistence import queries
from services.exchanges.paper_file import audit

BOUNDARIES_CHILD = "dirigent.proofs.death.boundaries"

AT_WORK, AT_RESUME, AT_START = "at work", "at resume", "at start"
_SHARES = {AT_WORK: 6, AT_RESUME: 3, AT_START: 1}
_LATEST_S = {AT_WORK: 0.35, AT_RESUME: 0.2, AT_START: 0.7}
"""How long after the moment's beginning the signal comes at the latest."""


@dataclass(slots=True)
class Toll:
    """What the deaths met, and what was wrong afterwards."""

    kills: Counter[str] = field(default_factory=Counter)
    """By moment or boundary."""
    on_orders_in_flight: int = 0
    found: Counter[str] = field(default_factory=Counter)
    """Orders in flight at a death, by what the exchange's book said of them."""
    seconds: float = 0
    """Of the deaths alone, without the settling and comparing at the end."""
    orders: int = 0
    fills: int = 0
    wrong: list[str] = field(default_factory=list)
    _never_arrived: set[str] = field(default_factory=set)

    def note(self, moment: str, place: Place) -> None:
        under_way = orders_under_way(place)
        self.kills[moment] += 1
        self.on_orders_in_flight += bool(under_way)
        self.found.update(under_way.values())
        self._never_arrived |= {name for name, end in under_way.items() if end == NEVER_ARRIVED}

    def close(self, place: Place, market: Market) -> None:
        """Settles, compares both books, and looks whether what never arrived was ever sent again."""
        self.wrong += settled_differences(place, market)
        book = audit(place.exchange_file)
        ours = {order["client_order_id"]: order for order in queries.orders(place.database)}
        self.orders, self.fills = len(book.orders), len(book.fills)
        for name in sorted(self._never_arrived):
            if any(order.client_order_id == name for order in book.orders):
                self.wrong.append(f"order {name} had not arrived when its engine died, and came later")
            elif ours[name]["state"] != REJECTED:
                self.wrong.append(f"order {name} never arrived and is {ours[name]['state']}")
        for pair in queries.pairs(place.database):
            if pair["permission"] != "active":
                self.wrong.append(f"{pair['symbol']} is {pair['permission']}: {pair['permission_reason']}")

    @property
    def total(self) -> int:
        return self.kills.total()


def kill_at_random(
    directory: Path, kills: int, seed: int, told: Callable[[int], None], module: str = COMMAND[-1]
) -> Toll:
    """One account through `kills` lives, each ended by SIGKILL at a moment drawn from `seed`. `module` is run as
    the command, to show that another engine would be found out."""
    random = Random(seed)
    market = Market(seed=seed, fee_in=random.choice(("quote", "base")))
    place = Place.make(directory, restless(market))
    toll = Toll()
    began_s = time.monotonic()
    moments, shares = list(_SHARES), list(_SHARES.values())
    for number in range(kills):
        moment = random.choices(moments, shares)[0]
        with Daemon(place, module=module) as daemon:
            _wait_for(moment, daemon)
            time.sleep(random.uniform(0, _LATEST_S[moment]))
            if daemon.process.poll() is not None:
                raise DaemonFault(f"it ended before it was killed: {daemon.said}")
            daemon.kill()
        toll.note(moment, place)
        told(number + 1)
    toll.seconds = time.monotonic() - began_s
    toll.close(place, market)
    return toll


def _wait_for(moment: str, daemon: Daemon) -> None:
    if moment == AT_WORK:
        daemon.wait_until_trading()
    elif moment == AT_RESUME:
        wait_until(daemon.has_database, lambda: f"it does not open: {daemon.said}", daemon.process)


def kill_at_boundaries(directory: Path, seed: int, told: Callable[[int], None]) -> Toll:
    """One account through as many lives as there are boundaries, each dying in its own hand at one of them."""
    random = Random(seed)
    market = Market(seed=seed)
    place = Place.make(directory, restless(market))
    toll = Toll()
    began_s = time.monotonic()
    for number, (name, boundary) in enumerate(BOUNDARIES.items(), 1):
        words = (name, str(random.randint(1, boundary.nth_max)))
        with Daemon(place, module=BOUNDARIES_CHILD, module_words=words) as daemon:
            if daemon.wait() != -signal.SIGKILL:
                raise DaemonFault(f"it did not die at {name!r}: {daemon.said}")
        toll.note(name, place)
        told(number)
    toll.seconds = time.monotonic() - began_s
    toll.close(place, market)
    return toll
