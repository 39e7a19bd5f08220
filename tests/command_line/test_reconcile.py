"""The command `reconcile`, on a database and a paper account of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dirigent.configuration.settings import load_settings
from dirigent.settling import Session, session
from fsm.commit import CommitBatch, JournalEntry
from fsm.order import ORDER
from fsm.position import POSITION
from fsm.records import OrderRecord, PositionRecord, Record, changes_between
from fsm.table import Table
from persistence.store import SqliteStore
from services.messages import OrderRequest
from tests.command_line.running import document, invoke

CONFIGURATION = """
[paper]
latency_ms_min = 0
latency_ms_max = 0
ticks_per_s = 0
[[pairs]]
symbol = "BTC/USDT"
strategy = "external"
"""
BOUGHT = OrderRequest("webui00000000001", "BTC/USDT", "buy", "market", Decimal("0.01"))


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dirigent.toml").write_text(CONFIGURATION, encoding="utf-8")
    monkeypatch.setattr("services.reconciliation.reconciler.PAUSE_S", 0)


def with_account(act: Callable[[Session], Awaitable[object]]) -> None:
    async def run() -> None:
        async with session(load_settings(["dirigent.toml"]), "the test") as held:
            await held.reconciler.reconcile()
            await act(held)

    asyncio.run(run())


def order_by_hand(*requests: OrderRequest) -> None:
    """Somebody trades with the same account, past the engine."""

    async def act(held: Session) -> None:
        for request in requests:
            await held.exchange.create_order(request)

    with_account(act)


def rows() -> dict[str, Any]:
    return {row["what"]: row for row in document("reconcile", "--plan", "--json")["differences"]}


def decide(*arguments: str) -> str:
    result = invoke("reconcile", *arguments, "--yes", "--person", "Ada")
    assert result.exit_code == 0, result.output
    return result.output


def test_books_that_agree_have_no_differences() -> None:
    order_by_hand()
    result = invoke("reconcile", "--plan")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no differences\n")
    assert document("reconcile", "--plan", "--json") == {
        "differences": [],
        "not_compared": [],
        "all_compared": True,
        "beside": {},
    }


def test_what_could_not_be_compared_is_not_said_to_agree() -> None:
    """Killed while an order was being sent: of its coins nothing can be said before it was looked up."""
    order_by_hand()

    with SqliteStore.open(load_settings(["dirigent.toml"]).database) as store:
        send_and_die(store)
    result = invoke("reconcile", "--plan")
    assert result.exit_code == 0, result.output
    assert "not compared: holding of BTC: BTC/USDT in motion" in result.stdout
    assert "no differences" not in result.output
    assert result.stderr.splitlines()[-1] == "nothing compared differs; 2 not compared"
    found = document("reconcile", "--plan", "--json")
    assert (found["differences"], found["all_compared"], len(found["not_compared"])) == ([], False, 2)


def send_and_die(store: SqliteStore) -> None:
    """An order that is on disk as being sent, as a kill leaves it."""
    position = PositionRecord("ordering", id=f"{store.load().tag}p000001", symbol="BTC/USDT", version=1)
    order = OrderRecord(
        "submitting",
        client_order_id=f"{position.id}e0001",
        position_id=position.id,
        symbol="BTC/USDT",
        leg="entry",
        side="buy",
        type="market",
        amount=Decimal("0.01"),
        version=1,
    )
    batch = CommitBatch()
    births: tuple[tuple[Record, str, str, Table], ...] = (
        (position, "entry_planned", "signalled", POSITION),
        (order, "order_submitted", "planned", ORDER),
    )
    for record, event, source, table in births:
        subject = (record.machine, record.subject_id)
        changes = changes_between(None, record)
        batch.records[subject] = (record, 0)
        batch.journal.append(
            JournalEntry(1, *subject, 1, event, source, record.state, "moved", (), changes, table.hash)
        )
    store.commit(batch)


def test_a_coin_that_is_nobody_s_is_told_beside_and_is_no_difference() -> None:
    """Such as the one that pays the fees."""
    Path("dirigent.toml").write_text(
        CONFIGURATION.replace("[paper]", '[paper]\nbalances = { USDT = "10000", BNB = "3" }'),
        encoding="utf-8",
    )
    order_by_hand()
    told = invoke("reconcile", "--plan")
    assert told.stderr.splitlines() == ["beside: 3 BNB: no pair of this engine trades it", "no differences"]
    found = document("reconcile", "--plan", "--json")
    assert (found["differences"], found["beside"]) == ([], {"BNB": "3"})
    result = invoke("reconcile", "--adopt", "BNB", "--yes")
    assert result.exit_code == 2
    assert "no pair of this engine trades BNB; add one" in result.stderr


def test_a_foreign_holding_is_told_adopted_and_sold() -> None:
    order_by_hand(BOUGHT)
    told = invoke("reconcile", "--plan")
    assert "remedy      dirigent reconcile --adopt BTC" in told.stdout
    assert "2 differences" in told.stderr
    decide("--adopt", "BTC", "--price", "50000")
    (held,) = document("positions", "--json")
    assert (held["state"], held["quantity"], held["entry_price"]) == ("open", "0.01", "50000")
    assert set(rows()) == {"quote_differs"}
    assert f"position {held['id']} is closed, result" in decide("--close", held["id"])
    assert set(rows()) == {"quote_differs"}
    assert "right from now on" in decide("--adopt", "USDT")
    assert rows() == {}
    journal = invoke("journal").stdout
    assert "person Ada: adopts 0.01 BTC at 50000" in journal
    assert "person Ada: closes it" in journal
    assert invoke("verify").exit_code == 0


def test_coins_that_are_gone_stop_the_pair_until_a_person_has_decided() -> None:
    order_by_hand(BOUGHT)
    decide("--adopt", "BTC", "--price", "50000")
    decide("--adopt", "USDT")
    order_by_hand(replace(BOUGHT, side="sell"))
    (held,) = document("positions", "--json")
    assert rows()["holding_missing"]["remedy"] == f"dirigent reconcile --detach {held['id']}"
    decide("--apply")
    (pair,) = document("pairs", "--json")
    assert pair["permission"] == "halted"
    assert "holding_missing BTC" in pair["reason"]
    assert "BTC/USDT" in document("status", "--json")["stopped"]
    assert "is closed, result -500" in decide("--detach", held["id"])
    assert decide("--resume", "all") == "active: BTC/USDT\n"
    assert document("status", "--json")["stopped"] == {}
    assert set(rows()) == {"quote_differs"}
    assert invoke("verify").exit_code == 0


def test_a_foreign_order_can_be_adopted() -> None:
    resting = replace(BOUGHT, type="limit", price=Decimal(1000))
    order_by_hand(resting)
    assert rows()["order_foreign"]["says"] == "buy 0.01 at 1000: open, 0 filled in BTC/USDT"
    assert "is the entry of position" in decide("--adopt", resting.client_order_id)
    (order,) = document("orders", "--json")
    assert (order["client_order_id"], order["state"]) == (resting.client_order_id, "working")
    assert rows() == {}


def test_only_the_plan_works_beside_a_running_engine() -> None:
    order_by_hand(BOUGHT)
    with SqliteStore.open("dirigent.sqlite"):
        assert set(rows()) == {"holding_foreign", "quote_differs"}
        for action in (["--apply"], ["--adopt", "BTC"], ["--resume", "all"]):
            result = invoke("reconcile", *action, "--yes")
            assert result.exit_code == 2
            assert "refused: database dirigent.sqlite" in result.stderr


def test_a_person_who_says_no_changes_nothing() -> None:
    order_by_hand(BOUGHT)
    from click.testing import CliRunner

    from dirigent.command_line import main

    before = document("journal", "--json")
    result = CliRunner().invoke(main, ["reconcile", "--adopt", "BTC"], input="n\n")
    assert result.exit_code == 1
    assert "Take BTC into the books?" in result.stderr
    assert document("journal", "--json") == before


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "give one of --plan"),
        (["--plan", "--apply"], "give one of --plan"),
        (["--adopt", "DOGE", "--yes"], "DOGE is no row of the plan"),
        (["--detach", "abcde000009", "--yes"], "there is no position abcde000009"),
        (["--close", "abcde000009", "--yes"], "there is no position abcde000009"),
        (["--resume", "DOGE/USDT"], "DOGE/USDT is no pair"),
        (["--adopt", "BTC", "--price", "none"], "is no number"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(arguments: list[str], why: str) -> None:
    order_by_hand()
    result = invoke("reconcile", *arguments)
    assert result.exit_code == 2, result.output
    assert why in result.stderr


def test_without_books_there_is_nothing_to_compare() -> None:
    result = invoke("reconcile", "--plan")
    assert result.exit_code != 0
    assert "dirigent" in result.stderr
