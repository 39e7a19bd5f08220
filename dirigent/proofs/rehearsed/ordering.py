"""A thousand orders while one in twenty of everything goes wrong: none is lost, none is sent twice."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dirigent.proofs.death.daemons import COMMAND, Daemon, DaemonFault, Place
from dirigent.proofs.rehearsed.beside import Beside, rehearsing
from dirigent.proofs.rehearsed.configurations import (
    LATENCY_MS,
    ONE_IN_TWENTY,
    SYMBOLS,
    TICKS_PER_S,
    trading_on,
)
from dirigent.proofs.rehearsed.lives import WORDS_MAX, living, settled_differences
from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.settings import RehearsalSettings
from persistence import queries

STANDSTILL_MAX_S = 120.0
_LOOK_EVERY_S = 0.25


@dataclass(slots=True)
class OrdersReport:
    """`decided` orders are in the engine's books, `accepted` ones in the exchange's."""

    decided: int = 0
    accepted: int = 0
    fills: int = 0
    seconds: float = 0
    by_state: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def order_under_faults(
    directory: Path,
    orders: int,
    seed: int,
    told: Callable[[int], None],
    *,
    chaos: Chaos = ONE_IN_TWENTY,
    symbols: tuple[str, ...] = SYMBOLS,
    module: str = COMMAND[-1],
) -> OrdersReport:
    """Trades until the exchange has taken so many orders, and settles, with the faults to the end."""
    settings = RehearsalSettings(
        seed=seed, symbols=symbols, ticks_per_s=TICKS_PER_S, latency_ms=LATENCY_MS, chaos=chaos
    )
    report = OrdersReport()
    with rehearsing(settings) as beside:
        place = Place.make(directory, trading_on(beside))
        began_s = time.monotonic()
        with living(place, module) as daemon:
            _wait_for_orders(daemon, beside, orders, told)
            if daemon.stop() != 0:
                raise DaemonFault(daemon.said[-WORDS_MAX:])
        report.seconds = time.monotonic() - began_s
        report.wrong = settled_differences(place, beside, module)
        reckoned = beside.audit
    report.accepted, report.fills = reckoned["orders"]["accepted"], reckoned["fills"]
    report.faults = {str(name): count for name, count in reckoned["faults"].items()}
    for order in queries.orders(place.database):
        report.decided += 1
        report.by_state[order["state"]] = report.by_state.get(order["state"], 0) + 1
    return report


def _wait_for_orders(daemon: Daemon, beside: Beside, orders: int, told: Callable[[int], None]) -> None:
    accepted, since_s = 0, time.monotonic()
    while accepted < orders:
        time.sleep(_LOOK_EVERY_S)
        before, accepted = accepted, beside.do(lambda server: len(server.venue.desk.orders))
        now_s = time.monotonic()
        if accepted > before:
            since_s = now_s
            told(accepted)
        elif now_s - since_s > STANDSTILL_MAX_S or daemon.process.poll() is not None:
            raise DaemonFault(
                f"no order for {now_s - since_s:.0f} s after {accepted}: {daemon.said[-WORDS_MAX:]}"
            )
