"""What a report of an order does to it and to its deal, whatever it says and whenever it comes."""

from decimal import Decimal
from pathlib import Path

import pytest

from fsm.records import Fill
from services.messages import CancelRefused, OrderRefused, OrderReport, OrderStatus
from tests.services.bench import Plan, limit_rules, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import cancelled, closed, expired, resting, said, trade


def some(of: str, *amounts: str) -> list[Fill]:
    return [trade(f"f{number}", of, amount) for number, amount in enumerate(amounts, 1)]


# fmt: off
ENDS = [
    # name                                what the exchange says     order               position     held
    ("filled at once",                    "closed 10",               "filled",           "open",      "10"),
    ("filled by parts of one report",     "closed 4 6",              "filled",           "open",      "10"),
    ("filled report by report",           "open 4; closed 4 6",      "filled",           "open",      "10"),
    ("partly filled and resting",         "open 4",                  "partially_filled", "ordering",  "4"),
    ("a part reported twice",             "open 4; open 4",          "partially_filled", "ordering",  "4"),
    ("the end reported twice",            "closed 10; closed 10",    "filled",           "open",      "10"),
    ("an acknowledgement after the fill", "closed 10; open",         "filled",           "open",      "10"),
    ("an older part after the end",       "closed 4 6; open 4",      "filled",           "open",      "10"),
    ("cancelled with nothing",            "canceled",                "cancelled",        "abandoned", "0"),
    ("cancelled after a part",            "open 4; canceled 4",      "cancelled",        "open",      "4"),
    ("cancelled, its part told with it",  "canceled 4",              "cancelled",        "open",      "4"),
    ("cancelled, a crumb filled",         "canceled 0.3",            "cancelled",        "dust",      "0"),
    ("expired with a part",               "expired 4",               "expired",          "open",      "4"),
    ("closed short of its amount",        "closed 4",                "expired",          "open",      "4"),
    ("rejected late",                     "rejected",                "rejected",         "abandoned", "0"),
    ("the rest of it rejected",           "open 4; rejected",        "cancelled",        "open",      "4"),
    ("cancelled, then all of it filled",  "canceled; closed 10",     "filled",           "open",      "10"),
    ("a part after it was cancelled",     "canceled; canceled 4",    "cancelled",        "open",      "4"),
]
# fmt: on


def told(of: str, story: str) -> list[OrderReport]:
    """Reports of one order, each a status and the amounts of all its trades so far."""
    reports = []
    for sentence in story.split("; "):
        status, *amounts = sentence.split()
        reports.append(said(of, OrderStatus(status), *some(of, *amounts)))
    return reports


@pytest.mark.parametrize(
    ("story", "order", "position", "held"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS]
)
async def test_an_entry_order_becomes_what_its_reports_say(
    tmp_path: Path, story: str, order: str, position: str, held: str
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry = await bench.enter()
        deal = bench.position().id
        await bench.hear(*told(entry, story))
        assert bench.order(entry).state == order
        assert bench.position(deal).state == position
        assert bench.position(deal).quantity == Decimal(held)
        assert bench.permission() == "active"


async def test_a_fill_overtakes_the_acknowledgement(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        desk.creates.append(lambda of: resting(of, *some(of, "4")))
        entry = await bench.enter()
        assert bench.order(entry).state == "partially_filled"
        assert bench.position().bought == Decimal(4)


async def test_a_refused_entry_order_gives_the_deal_up_and_frees_the_pair(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        desk.creates.append(OrderRefused("insufficient funds"))
        await bench.price("10")
        assert (await bench.buy()).taken
        (entry,) = desk.asked("create")
        assert bench.order(entry).state == "rejected"
        assert bench.order(entry).reason == "insufficient funds"
        assert bench.position(bench.order(entry).position_id).reason == "insufficient funds"
        assert bench.pair().state == "idle"
        assert bench.engine.state.commitments.reserved == 0


async def test_a_market_order_that_expires_partly_filled_is_an_open_position_of_what_filled(
    tmp_path: Path,
) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk, market_rules())) as bench:
        desk.creates.append(lambda of: expired(of, *some(of, "6")))
        entry = await bench.enter()
        assert bench.order(entry).state == "expired"
        assert (bench.position().state, bench.position().quantity) == ("open", Decimal(6))
        assert bench.position().entry_price == Decimal(10)


async def test_a_cancel_that_loses_its_race_leaves_the_whole_position(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    rules = limit_rules(entry_max_age_s=60)
    async with running(tmp_path / "d.sqlite", Plan(desk, rules)) as bench:
        entry = await bench.enter()
        desk.cancels.append(lambda of: closed(of, *some(of, "10")))
        await bench.wait(60)
        assert desk.asked("cancel") == [entry]
        assert bench.order(entry).state == "filled"
        assert bench.position().state == "open"


async def test_a_cancel_that_finds_no_order_is_looked_up_and_not_believed(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    rules = limit_rules(entry_max_age_s=10)
    async with running(tmp_path / "d.sqlite", Plan(desk, rules)) as bench:
        entry = await bench.enter()
        desk.cancels.append(CancelRefused("no such open order"))
        desk.fetches.append(lambda of: closed(of, *some(of, "10")))
        await bench.wait(10)
        assert desk.calls[-2:] == [("cancel", entry), ("fetch", entry)]
        assert bench.order(entry).state == "filled"
        assert bench.position().quantity == Decimal(10)


async def test_a_report_that_claims_more_than_its_trades_is_looked_up_first(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        entry = await bench.enter()
        desk.fetches.append(lambda of: cancelled(of, *some(of, "4")))
        await bench.hear(cancelled(entry, filled="4"))
        assert desk.asked("fetch") == [entry]
        assert bench.order(entry).state == "cancelled"
        assert bench.position().quantity == Decimal(4)


async def test_trades_that_lag_behind_are_asked_for_at_deadlines_and_not_in_a_frenzy(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        entry = await bench.enter()
        desk.fetches.extend([lambda of: cancelled(of, filled="4")] * 1000)
        await bench.hear(cancelled(entry, filled="4"))
        assert 1 <= len(desk.asked("fetch")) <= 2
        desk.fetches.clear()
        desk.fetches.append(lambda of: cancelled(of, *some(of, "4")))
        await bench.wait(30)
        assert bench.position().state == "open"
        assert bench.position().quantity == Decimal(4)


async def test_a_fee_in_the_base_coin_makes_less_to_sell(tmp_path: Path) -> None:
    desk = ScriptedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk)) as bench:
        entry = await bench.enter()
        await bench.hear(closed(entry, trade("f1", entry, "10", fee="0.01", coin="ADA")))
        assert bench.position().quantity == Decimal("9.99")
        await bench.sell()
        assert desk.requests[-1].amount == Decimal("9.9")
        exit_order = bench.position().exit_order_id
        deal = bench.position().id
        await bench.hear(closed(exit_order, trade("f2", exit_order, "9.9", "11", "0.1", "sell")))
        ended = bench.position(deal)
        assert (ended.state, ended.dust) == ("closed", Decimal("0.09"))
        assert ended.realized_pnl == Decimal("9.9") * 11 - 100 - Decimal("0.1")


async def test_an_order_of_somebody_else_is_reported_and_never_adopted(
    tmp_path: Path, logged: list[dict[str, object]]
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        await bench.hear(closed("someone", *some("someone", "3")))
        assert not bench.engine.state.working.orders
        (line,) = [line for line in logged if line.get("event") == "foreign_order"]
        assert line["order"] == "someone"


async def test_what_rejected_orders_filled_before_still_counts(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry = await bench.enter()
        await bench.hear(said(entry, OrderStatus.REJECTED, *some(entry, "4"), reason="no"))
        assert bench.position().state == "open"
        assert bench.position().quantity == Decimal(4)
