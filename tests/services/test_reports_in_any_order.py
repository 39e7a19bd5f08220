"""One order's reports lead to the same books in whatever order they come, and however often."""

import asyncio
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.records import Fill
from services.messages import OrderNews, OrderReport, OrderStatus
from tests.services.bench import Plan, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import PAIR, said, trade

ENTRY = "dtest000001e0001"
"""The first entry of the first deal of a database with the tag that tests give it."""


@st.composite
def stories(draw: st.DrawFn) -> list[OrderReport]:
    """What an honest exchange says of one order of 10: growing parts, then an end, with all trades so far."""
    tenths = draw(st.lists(st.integers(1, 100), max_size=5))
    fills: list[Fill] = []
    left = 100
    for number, tenth in enumerate(tenths):
        amount = min(tenth, left)
        left -= amount
        if amount:
            price = Decimal(draw(st.integers(900, 1000))).scaleb(-2)
            fee = Decimal(draw(st.integers(0, 99))).scaleb(-3)
            coin = draw(st.sampled_from(["USDT", "ADA", "BNB"]))
            scaled = Decimal(amount).scaleb(-1)
            fills.append(trade(f"f{number}", ENTRY, f"{scaled}", f"{price}", f"{fee}", coin=coin))
    end = draw(st.sampled_from([OrderStatus.CANCELED, OrderStatus.EXPIRED]))
    story = [said(ENTRY, OrderStatus.OPEN, *fills[:known]) for known in range(len(fills) + 1)]
    return [*story, said(ENTRY, OrderStatus.CLOSED if left == 0 else end, *fills)]


async def books_after(reports: list[OrderReport], at_once: bool) -> dict[str, object]:
    """What is booked on the order and its deal, once all reports were heard, one by one or together."""
    with TemporaryDirectory() as folder:
        async with running(Path(folder) / "d.sqlite", Plan(ScriptedDesk())) as bench:
            assert await bench.enter() == ENTRY
            deal = bench.position().id
            if at_once:
                for report in reports:
                    bench.engine.state.deliver(OrderNews(ENTRY, PAIR, report))
                await bench.update()
            else:
                await bench.hear(*reports)
            order, position = bench.order(ENTRY), bench.position(deal)
            commitments = bench.engine.state.commitments
            assert bench.permission() == "active"
            ends = ("state", "filled", "cost", "fee_base", "fee_quote")
            books = ("state", "bought", "spent", "fee_base", "fee_quote", "quantity", "dust", "realized_pnl")
            return {
                **{f"order.{name}": getattr(order, name) for name in ends},
                **{f"position.{name}": getattr(position, name) for name in books},
                "exposure": commitments.exposure,
                "reserved": commitments.reserved,
                "money": commitments.quote_total,
            }


@settings(max_examples=40)
@given(st.data())
def test_order_and_repetition_of_reports_do_not_matter(data: st.DataObject) -> None:
    told = data.draw(stories())
    heard = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=3))))
    at_once = data.draw(st.booleans())
    assert asyncio.run(books_after(heard, at_once)) == asyncio.run(books_after(told, at_once=False))
