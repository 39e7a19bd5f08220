"""Orders that somebody placed by hand, without a client id: each of them is told."""

from fsm.commit import Totals
from services.messages import OrderReport, OrderStatus
from services.reconciliation.comparison import compare
from services.reconciliation.plan import Account, Beliefs, Kind


def test_two_orders_without_a_name_are_two_differences() -> None:
    orders = [OrderReport("", "ADA/USDT", number, OrderStatus.OPEN) for number in ("17", "18")]
    beliefs = Beliefs(
        tag="k3f00", symbols=("ADA/USDT",), live={}, ended={}, positions=[], totals=Totals({}, {})
    )
    plan = compare(beliefs, Account(orders, {}))
    assert [(row.kind, row.subject) for row in plan.differences] == [
        (Kind.ORDER_FOREIGN, "17"),
        (Kind.ORDER_FOREIGN, "18"),
    ]
