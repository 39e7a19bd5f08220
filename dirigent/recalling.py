"""What a start takes back of refusals, verdicts and orders, so that their counts and times outlast a restart."""

from dirigent.wiring import Engine
from fsm.commit import StoredState
from fsm.records import OrderRecord
from persistence.store import SqliteStore
from services.assessment import Assessor

ORDERS_MAX = 1_000
"""Ended orders that are looked through for those of the last minute."""


def recall(engine: Engine, assessor: Assessor, store: SqliteStore, stored: StoredState) -> None:
    """Before the engine resumes. Raises StoreError."""
    state = engine.state
    state.refusals.restore(store.refusals())
    assessor.restore(store.assessments())
    living = [order for order in stored.orders if isinstance(order, OrderRecord)]
    orders = [*living, *store.recent_orders(ORDERS_MAX)]
    state.order_rate.restore([order.created_at_ms for order in orders], state.clock.now_ms())
