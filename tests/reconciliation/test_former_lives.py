"""Orders of the lives before a backup was put back: ours, and not in the books."""

from pathlib import Path

from fsm.commit import FORMER_TAGS
from services.deals.order_ids import order_id, position_id
from services.reconciliation.plan import Kind, Settlement
from tests.reconciliation.accounts import ADA, foreign, only, traded


async def test_an_order_of_a_former_life_stops_its_pair_and_any_other_does_not(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        desk.engine.state.facts[FORMER_TAGS] = "first secnd"
        name = order_id(position_id("secnd", 7), "entry", 1)
        await desk.exchange.create_order(foreign(name))
        desk.hear(lost=True)
        row = only(await desk.reconcile(), Kind.ORDER_UNBOOKED)
        assert (row.subject, row.settlement) == (name, Settlement.PERSON)
        assert desk.permission(ADA) == "halted"


async def test_an_order_of_a_tag_that_was_never_ours_is_foreign(tmp_path: Path) -> None:
    async with traded(tmp_path) as desk:
        await desk.price("10")
        desk.engine.state.facts[FORMER_TAGS] = "first secnd"
        await desk.exchange.create_order(foreign(order_id(position_id("other", 7), "entry", 1)))
        desk.hear()
        row = only(await desk.reconcile(), Kind.ORDER_FOREIGN)
        assert row.settlement is Settlement.REPORTED
        assert desk.permission(ADA) == "active"
