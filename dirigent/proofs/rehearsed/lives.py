"""Lives of the real engine on a rehearsal exchange: begun as often as the faults demand, and settled at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dirigent.proofs.death.book_keeping import differences_with
from dirigent.proofs.death.daemons import COMMAND, Daemon, DaemonFault, Place
from dirigent.proofs.death.settling import stop_when_nothing_lives
from dirigent.proofs.rehearsed.beside import Beside
from dirigent.proofs.rehearsed.configurations import leaving_on
from persistence import queries

START_PATIENCE_S = 60.0
SETTLE_PATIENCE_S = 300.0
WORDS_MAX = 2_000
"""Of what a process said, the end."""
_STARTS_MAX = 10
_TRY_AGAIN = "another try may succeed"
"""What an engine says that ended because the exchange did not answer at its start."""


@contextmanager
def living(place: Place, module: str = COMMAND[-1]) -> Iterator[Daemon]:
    """A daemon that trades. One that the faults kept from beginning is started again, as a supervisor would."""
    for _ in range(_STARTS_MAX):
        with Daemon(place, "--live", module=module) as daemon:
            if is_trading_after_a_while(daemon):
                yield daemon
                return
    raise DaemonFault(f"it did not begin in {_STARTS_MAX} starts: {daemon.said[-WORDS_MAX:]}")


def is_trading_after_a_while(daemon: Daemon) -> bool:
    """False when the exchange was not to be reached. Raises DaemonFault when it ended in another way, or hangs."""
    until_s = time.monotonic() + START_PATIENCE_S
    while not daemon.is_trading():
        if daemon.process.poll() is not None:
            if daemon.process.returncode == 1 and _TRY_AGAIN in daemon.said:
                return False
            raise DaemonFault(f"it ended with {daemon.process.returncode}: {daemon.said[-WORDS_MAX:]}")
        if time.monotonic() > until_s:
            raise DaemonFault(f"it does not trade after {START_PATIENCE_S:.0f} s: {daemon.said[-WORDS_MAX:]}")
        time.sleep(0.01)
    return True


def settled_differences(place: Place, beside: Beside, module: str = COMMAND[-1]) -> list[str]:
    """Sells everything, then compares coins, money, fees, trades, orders and intents; empty when all agree."""
    place.configure(leaving_on(beside))
    try:
        with living(place, module) as daemon:
            stop_when_nothing_lives(daemon, SETTLE_PATIENCE_S)
    except DaemonFault as fault:
        return [str(fault)]
    return books_differ(place, beside)


def books_differ(place: Place, beside: Beside) -> list[str]:
    """Nothing may be in flight."""
    reckoned = beside.audit
    found = differences_with(place.database, beside.book)
    found += [f"carried out twice: {row['client_order_id']}" for row in reckoned["duplicates"]]
    found += [f"exchange: {fault}" for fault in reckoned["faults_in_the_books"]]
    for pair in queries.pairs(place.database):
        if pair["permission"] != "active":
            found.append(f"{pair['symbol']} is {pair['permission']}: {pair['permission_reason']}")
    return found
