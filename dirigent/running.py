"""One run of the daemon, as everything that works beside the ticks sees it."""

import asyncio
from dataclasses import dataclass

from dirigent.configuration.settings import Settings
from dirigent.heartbeat import Heartbeat
from dirigent.steering.helm import Helm
from dirigent.venues import Venue
from dirigent.wiring import Engine
from persistence.store import SqliteStore
from services.ports import Clock
from services.reconciliation.reconciler import Reconciler


@dataclass(frozen=True, slots=True)
class Limits:
    """After how long a run ends by itself; None is never."""

    duration_s: float | None = None
    ticks: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The parts of one run. Setting `stop` ends it gracefully."""

    settings: Settings
    engine: Engine
    exchange: Venue
    store: SqliteStore
    clock: Clock
    heartbeat: Heartbeat
    reconciler: Reconciler
    limits: Limits
    stop: asyncio.Event
    helm: Helm
