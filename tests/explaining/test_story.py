"""`explain` tells a deal from its signal to its money, in numbers that add up, whatever happened to it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from persistence import queries
from tests.command_line.running import document, invoke
from tests.explaining.test_past import live_through
from tests.services.bench import Plan, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import PAIR, closed, trade


async def lived(directory: Path, *lines: str) -> Path:
    """The database of a story; a line with `: ` before the first happening is one of its terms."""
    path = directory / "story.txt"
    path.write_text("\n".join(("One deal.", *lines, "then the pair is idle")))
    database, _ = await live_through(path, directory)
    return database


def explained(database: Path, number: int = 0) -> Any:
    position = queries.positions(database)[number]
    return document("explain", position["id"], "--json", "--db", database)


def told(database: Path) -> str:
    position = queries.positions(database)[0]
    result = invoke("explain", position["id"], "--db", database)
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_a_deal_is_told_from_its_signal_to_its_money(tmp_path: Path) -> None:
    database = await lived(
        tmp_path, "take profit: 3 %", "start at 100", "buy signal", "rise to 104 in 3 ticks"
    )
    story = explained(database)
    assert story["signal"]["votes"] == "the story says so"
    assert all(guard["holds"] for guard in story["signal"]["guards"])
    risk = story["decision"]["guards"][-1]
    assert risk["guard"] == "risk_allows_entry"
    assert risk["because"].endswith("checks, deal of 100")
    entry, leaving = story["orders"]
    assert (entry["leg"], entry["state"], entry["filled"]) == ("entry", "filled", "1")
    assert sum(Decimal(fill["amount"]) for fill in leaving["fills"]) == Decimal(leaving["filled"])
    assert story["exit"]["reason"] == "take_profit"
    money = story["money"]
    assert money["adds_up"] is True
    sums = Decimal(money["received"]) - Decimal(money["spent"]) - Decimal(money["fee_quote"])
    assert sums == Decimal(money["profit"]) == queries.positions(database)[0]["realized_pnl"]
    assert (story["anomalies"], story["restarts"]) == ([], [])
    page = told(database)
    for word in ("the story says so", "take profit", "trade ", "money", "anomalies none", "restarts  none"):
        assert word in page
    assert f"= {money['profit']} USDT" in page


async def test_an_order_tells_the_story_of_its_position(tmp_path: Path) -> None:
    database = await lived(tmp_path, "start at 100", "buy signal", "sell signal", "stay for 2 ticks")
    story = explained(database)
    order = story["orders"][0]["client_order_id"]
    assert document("explain", order, "--json", "--db", database) == story


async def test_a_living_deal_is_told_with_what_it_would_bring(tmp_path: Path) -> None:
    database = await lived(tmp_path, "start at 100", "buy signal", "rise to 110 in 2 ticks", "restart")
    story = explained(database)
    money = story["money"]
    assert (story["state"], story["closed_at"], money["profit"]) == ("open", None, None)
    assert money["adds_up"] is True
    assert "it waits for its exits" in told(database)


async def test_a_lost_answer_is_told_as_the_time_in_which_nobody_knew(tmp_path: Path) -> None:
    database = await lived(
        tmp_path, "start at 100", "lose the next answer", "buy signal", "frozen for 30 s", "sell signal"
    )
    (gap,) = explained(database)["orders"][0]["unknown"]
    assert (gap["as"], gap["until"] is not None) == ("filled", True)
    assert "nobody knew what became of it, until " in told(database)


async def test_a_restart_while_it_lived_is_told_and_one_before_it_is_not(tmp_path: Path) -> None:
    lines = ("start at 100", "restart", "buy signal", "restart", "sell signal", "stay for 2 ticks")
    database = await lived(tmp_path, *lines)
    story = explained(database)
    assert [restart["epoch"] for restart in story["restarts"]] == [3]
    assert "the engine's start number 3 went on from here" in told(database)


async def test_fees_in_the_coin_and_dust_are_part_of_the_sums(tmp_path: Path) -> None:
    lines = ("fee in: base", "start at 100", "buy signal", "sell signal", "stay for 2 ticks")
    story = explained(await lived(tmp_path, *lines))
    money = story["money"]
    assert Decimal(money["fee_base"]) > 0
    held = Decimal(money["bought"]) - Decimal(money["sold"]) - Decimal(money["fee_base"])
    assert held == Decimal(money["quantity"]) + Decimal(money["dust"])
    assert money["adds_up"] is True


async def test_a_rejected_entry_bought_nothing_and_says_why(tmp_path: Path) -> None:
    lines = ("start at 100", "reject the next order", "buy signal", "stay for 2 ticks")
    database = await lived(tmp_path, *lines)
    story = explained(database)
    assert (story["state"], story["money"]["profit"], story["money"]["return"]) == ("abandoned", "0", None)
    assert story["orders"][0]["state"] == "rejected"
    assert "rejected" in told(database)


async def test_a_quarantine_while_it_lived_is_an_anomaly_of_its_story(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    async with running(path, Plan(ScriptedDesk(), market_rules())) as bench:
        await bench.price("10")
        bench.desk.creates.append(lambda of: closed(of, trade("f1", of, "10", fee="0.5", coin="BNB")))
        await bench.buy()
        await bench.orchestrator.quarantine(PAIR, "the books were odd")
    story = explained(path)
    assert [anomaly["words"] for anomaly in story["anomalies"]] == ["the books were odd"]
    assert story["money"]["fees_in_other_coins"] == {"BNB": "0.5"}
    assert "the books were odd" in told(path)


@pytest.mark.parametrize("identity", ["nobody", "BTC/USDT", ""])
def test_what_is_no_deal_is_refused(database: Path, identity: str) -> None:
    result = invoke("explain", identity, "--db", database)
    assert result.exit_code == 2
    assert f"there is no position {identity!r}, nor an order of that id" in result.stderr


def test_a_deal_without_a_signal_is_told_too(database: Path) -> None:
    page = invoke("explain", "abcdep1", "--db", database)
    assert page.exit_code == 0, page.output
    assert "no signal: given by a person" in page.stdout
