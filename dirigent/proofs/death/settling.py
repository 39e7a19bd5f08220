"""The end of a proof: nobody dies any more, everything is sold, and both books are compared."""

import time

from dirigent.proofs.death.book_keeping import differences
from dirigent.proofs.death.configurations import Market, only_leaving
from dirigent.proofs.death.daemons import Daemon, DaemonFault, Place
from fsm.order import ORDER
from fsm.position import POSITION
from persistence import queries

PATIENCE_S = 120.0
"""An exit that a thin market cuts short is repeated after pauses that double: five times take half a minute."""


def settle(place: Place, market: Market) -> None:
    """Runs the engine without a signal until no order and no position lives. Raises DaemonFault."""
    place.configure(only_leaving(market))
    with Daemon(place) as daemon:
        daemon.wait_until_trading()
        stop_when_nothing_lives(daemon)


def stop_when_nothing_lives(daemon: Daemon, patience_s: float = PATIENCE_S) -> None:
    until_s = time.monotonic() + patience_s
    while living := _living(daemon.place):
        if time.monotonic() > until_s:
            raise DaemonFault(f"after {patience_s:.0f} s there still live {living}: {daemon.said[-2000:]}")
        if daemon.process.poll() is not None:
            raise DaemonFault(f"it ended while there still live {living}: {daemon.said[-2000:]}")
        time.sleep(0.1)
    if daemon.stop() != 0:
        raise DaemonFault(daemon.said)


def _living(place: Place) -> list[str]:
    orders = [row["client_order_id"] for row in queries.orders(place.database) if _lives(ORDER.finals, row)]
    return orders + [row["id"] for row in queries.positions(place.database) if _lives(POSITION.finals, row)]


def _lives(finals: frozenset[str], row: dict[str, object]) -> bool:
    return row["state"] not in finals


def settled_differences(place: Place, market: Market) -> list[str]:
    """Coins, money, trades, orders and intents of the two books, and the journal; empty when all agree."""
    try:
        settle(place, market)
    except DaemonFault as fault:
        return [str(fault)]
    return differences(place.database, place.exchange_file)
