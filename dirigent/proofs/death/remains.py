"""What a death leaves: both books as they lie on disk, copied, and what became of the orders under way."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dirigent.proofs.death.daemons import DATABASE, Place
from fsm.order import CANCELLING, SUBMITTING, UNKNOWN
from persistence import queries
from services.exchanges.paper_file import Audit, audit
from services.messages import OrderStatus

IN_FLIGHT = (SUBMITTING, UNKNOWN, CANCELLING)

NEVER_ARRIVED, FOUND_WORKING, FOUND_FILLED, FOUND_ENDED = (
    "never arrived",
    "found working",
    "found filled",
    "found ended",
)


def copy_place(place: Place, directory: Path, *, with_wal: bool = True) -> Place:
    """Both books with their logs; `with_wal` says whether the engine's own log comes along."""
    directory.mkdir(parents=True, exist_ok=True)
    for source in (place.database, place.exchange_file):
        for suffix in ("", "-wal"):
            file = source.with_name(source.name + suffix)
            if file.exists() and (with_wal or source != place.database or not suffix):
                shutil.copyfile(file, directory / file.name)
    configuration = place.directory / "dirigent.toml"
    shutil.copyfile(configuration, directory / configuration.name)
    return Place(directory)


@contextmanager
def copied(place: Place) -> Iterator[Place]:
    """A copy to look at: who opens the original first after a death should be the next engine."""
    with TemporaryDirectory(prefix="dirigent-remains-") as directory:
        yield copy_place(place, Path(directory))


def orders_under_way(place: Place) -> dict[str, str]:
    """By client order id, what the exchange's book says of every order that was in flight at the death."""
    if not place.database.exists() or not place.exchange_file.exists():
        return {}
    with copied(place) as copy:
        return fates(copy, audit(copy.exchange_file))


def fates(copy: Place, book: Audit) -> dict[str, str]:
    """By client order id, what `book` says of every order that is in flight in a copied database."""
    theirs = {order.client_order_id: order for order in book.orders}
    found = {}
    for ours in queries.orders(copy.directory / DATABASE):
        if ours["state"] not in IN_FLIGHT:
            continue
        order = theirs.get(ours["client_order_id"])
        if order is None:
            found[ours["client_order_id"]] = NEVER_ARRIVED
        elif order.is_open:
            found[ours["client_order_id"]] = FOUND_WORKING
        else:
            whole = order.status is OrderStatus.CLOSED
            found[ours["client_order_id"]] = FOUND_FILLED if whole else FOUND_ENDED
    return found
