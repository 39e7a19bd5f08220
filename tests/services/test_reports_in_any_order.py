"""One order's reports lead to the same books in whatever order they come, and however often.

None of them lowers what filled or brings back what ended, at no moment on the way.
"""

import asyncio
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.order import ORDER
from fsm.records import Fill, OrderRecord
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


@st.composite
def rumours(draw: st.DrawFn, told: list[OrderReport]) -> list[OrderReport]:
    """The same reports as a stream may bring them: out of order, repeated, each with some of its trades alone.

    Of some orders they count no other trades than those. The whole truth is told last.
    """
    heard: list[OrderReport] = []
    is_counted_whole = draw(st.booleans())
    for report in draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=4)))):
        fills = tuple(fill for fill in report.fills if draw(st.booleans()))
        filled = report.filled if is_counted_whole else sum((fill.amount for fill in fills), Decimal(0))
        heard.append(replace(report, fills=fills, filled=filled))
    return [*heard, told[-1]]


class TruthfulDesk(ScriptedDesk):
    """Whoever asks is told how the order stands in the end, as by REST."""

    def __init__(self, truth: OrderReport) -> None:
        super().__init__()
        self.truth = truth

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        return self.truth


async def moments_of(heard: list[OrderReport], truth: OrderReport) -> list[OrderRecord]:
    """The order as it stands after each report."""
    moments: list[OrderRecord] = []
    with TemporaryDirectory() as folder:
        async with running(Path(folder) / "d.sqlite", Plan(TruthfulDesk(truth))) as bench:
            assert await bench.enter() == ENTRY
            for report in heard:
                await bench.hear(report)
                moments.append(replace(bench.order(ENTRY)))
            assert bench.permission() == "active"
    return moments


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


@settings(max_examples=100)
@given(st.data())
def test_no_report_lowers_what_filled_or_brings_back_what_ended(data: st.DataObject) -> None:
    told = data.draw(stories())
    heard = data.draw(rumours(told))
    moments = asyncio.run(moments_of(heard, truth=told[-1]))
    for before, after in pairwise(moments):
        assert after.filled >= before.filled
        assert after.cost >= before.cost
        assert before.state not in ORDER.finals or after.state in ORDER.finals
    assert moments[-1].filled == told[-1].filled
    assert moments[-1].state in ORDER.finals
