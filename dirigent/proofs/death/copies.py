"""A database that somebody copied without its write-ahead log: an old book that looks whole."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Daemon, Place, wait_until
from dirigent.proofs.death.remains import copy_place
from dirigent.proofs.death.settling import settled_differences
from persistence import queries
from services.exchanges.paper_file import audit

REFUSED = 2
_TRADES = (3, 40)
"""Booked trades at the death: before anything of the log is in the database, and later."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    copies: int
    orders_lost: int
    """Orders that had left, and which the copies do not know."""
    refused: int
    wrong: list[str]


def copy_without_log(directory: Path, seed: int) -> CopyReport:
    """Starts a daemon on each copy; then the last one gets its log back and trades on."""
    market = Market(seed=seed)
    wrong: list[str] = []
    lost = refused = 0
    for number, trades in enumerate(_TRADES):
        (directory / f"engine{number}").mkdir(parents=True)
        place = Place.make(directory / f"engine{number}", restless(market))
        _trade_and_die(place, trades)
        copy = copy_place(place, directory / f"copy{number}", with_wal=False)
        known = {order["client_order_id"] for order in queries.orders(copy.database)}
        left = audit(copy.exchange_file).orders
        lost += sum(order.client_order_id not in known for order in left)
        started = copy.run("trade", "--duration", "1")
        refused += started.returncode == REFUSED
        if started.returncode != REFUSED:
            wrong.append(f"copy {number} was not refused: {started.stderr}")
        after = Counter(order.client_order_id for order in audit(copy.exchange_file).orders)
        wrong += [f"order {name} was sent {count} times" for name, count in after.items() if count > 1]
    log = place.database.with_name(place.database.name + "-wal")
    copy.database.with_name(log.name).write_bytes(log.read_bytes())
    wrong += [f"with its log again: {one}" for one in settled_differences(copy, market)]
    return CopyReport(len(_TRADES), lost, refused, wrong)


def _trade_and_die(place: Place, trades: int) -> None:
    with Daemon(place) as daemon:
        daemon.wait_until_trading()
        wait_until(lambda: len(queries.fills(place.database)) >= trades, lambda: daemon.said, daemon.process)
        daemon.kill()
