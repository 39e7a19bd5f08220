"""The part of a run that those who watch it look at."""

from typing import Protocol

from dirigent.configuration.settings import Settings
from dirigent.heartbeat import Heartbeat
from dirigent.wiring import Engine
from services.ports import Clock
from services.reconciliation.reconciler import Reconciler


class Observed(Protocol):
    """A daemon's `Run` is one."""

    @property
    def settings(self) -> Settings: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def heartbeat(self) -> Heartbeat: ...

    @property
    def reconciler(self) -> Reconciler: ...
