"""halt, stop-entry and resume: who may enter, from when on, and who was asked."""

from decimal import Decimal
from pathlib import Path

import pytest

from fsm.commit import Progress
from fsm.permission import ENGINE_SUBJECT, LIMIT_REACHED
from fsm.records import PermissionRecord
from persistence import queries
from services.resumption import checkpoint_of
from tests.command_line.running import invoke
from tests.steering.cockpit import BTC, ETH, START_MS, Cockpit, cockpit, give


async def test_a_halted_pair_enters_nothing_and_the_other_does(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        await held.tick(ETH, "10")
        answer = await held.command("halt", symbol=BTC, reason="news at noon")
        assert (answer.outcome, answer.words) == (
            "done",
            f"{BTC} is halted: no entries, exits go on; until `dirigent resume`",
        )
        assert not await held.buy(BTC, "one")
        assert await held.buy(ETH, "two")
    assert queries.pairs(tmp_path / "engine.sqlite")[0]["reason"] == "Ada: news at noon"


async def test_a_halted_engine_enters_nothing_and_its_stops_sell(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(ETH, "10")
        assert await held.buy(ETH, "one")
        await held.tick(ETH, "10")
        assert [position.state for position in held.positions(ETH)] == ["open"]
        await held.command("halt")
        await held.tick(ETH, "8")
        assert held.positions(ETH) == [], "the stop-loss did not sell"
        await held.tick(BTC, "100")
        assert not await held.buy(BTC, "two")


async def test_a_signal_that_waits_for_a_price_does_not_enter_after_the_halt(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        assert await held.buy(BTC, "one"), "it waits for the first price"
        await held.command("halt")
        await held.tick(BTC, "100")
        assert held.positions(BTC) == []
        assert held.engine.state.working.pairs[BTC].state == "idle"
        assert "engine is halted" in held.engine.state.working.pairs[BTC].reason


async def test_a_halt_given_while_the_engine_was_down_holds_from_its_start(tmp_path: Path) -> None:
    async with cockpit(tmp_path):
        pass
    give(tmp_path / "engine.sqlite", "halt")
    async with cockpit(tmp_path) as held:
        await held.obey()
        await held.tick(BTC, "100")
        assert not await held.buy(BTC, "one")
    async with cockpit(tmp_path) as held:
        assert held.permission(ENGINE_SUBJECT) == "halted"


async def test_a_stop_by_a_person_outlasts_the_days_limit(tmp_path: Path) -> None:
    def until_tomorrow(permission: PermissionRecord) -> None:
        permission.reason, permission.due_at_ms = "max_daily_loss", START_MS + 10

    async with cockpit(tmp_path) as held:
        await held.engine.orchestrator.apply("permission", ENGINE_SUBJECT, LIMIT_REACHED, until_tomorrow)
        await held.command("stop-entry", reason="the weekend")
        held.clock.set(START_MS + 20)
        await held.engine.orchestrator.update_open_positions()
        assert held.permission(ENGINE_SUBJECT) == "exits_only"
        assert held.engine.state.working.permissions[ENGINE_SUBJECT].reason == "Ada: the weekend"


async def test_resume_lifts_what_the_person_saw(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.command("halt", symbol=BTC)
        await held.command("halt")
        answer = await held.command("resume", symbol=BTC)
        assert answer.words == f"active: {BTC}; the engine itself is halted: nothing enters yet"
        await held.command("halt", symbol=BTC)
        answer = await held.command("resume", symbol="all")
        assert answer.words == f"active: {ENGINE_SUBJECT}, {BTC}"
        assert (await held.command("resume")).words == "engine is active already"


async def test_resume_leaves_alone_what_was_stopped_after_the_person_looked(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.command("halt", symbol=BTC, reason="first")
        seen = queries.permission_versions(held.store.path)
        await held.command("resume", symbol=BTC)
        await held.engine.orchestrator.quarantine(BTC, "an order filled twice")
        answer = await held.command("resume", symbol=BTC, versions=seen)
        assert answer.outcome == "refused"
        assert "an order filled twice" in answer.words
        assert held.permission(BTC) == "halted"


async def test_an_unknown_pair_is_refused_and_halting_twice_is_said(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        assert (await held.command("halt", symbol="XRP/USDT")).outcome == "refused"
        await held.command("halt", reason="first")
        answer = await held.command("halt", reason="second")
        assert answer.words == "engine is halted already: Ada: first"


async def test_journal_and_status_say_in_words_why_each_was_stopped(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.engine.orchestrator.quarantine(BTC, "an order filled twice, says the exchange")
        await held.command("halt", reason="news")
    told = invoke("journal", "--db", tmp_path / "engine.sqlite").stdout.splitlines()
    (quarantined,) = [line for line in told if "quarantined" in line]
    assert quarantined.endswith("active -> halted  [an order filled twice, says the exchange]")
    (halted,) = [line for line in told if "halt_ordered" in line]
    assert halted.count("news") == 1
    status = invoke("status", "--db", tmp_path / "engine.sqlite").stdout
    stops = next(line for line in status.splitlines() if line.startswith("stopped"))
    assert set(stops.removeprefix("stopped").strip().split("; ")) == {
        "engine halted: Ada: news",
        "BTC/USDT halted: an order filled twice, says the exchange",
    }


def save_prices(held: Cockpit, symbol: str) -> None:
    """As a heartbeat does, so that the next start knows the last price."""
    checkpoints = {symbol: checkpoint_of(held.engine.orchestrator, symbol)}
    held.store.save_progress(Progress(held.clock.now_ms(), {}, [], checkpoints))


@pytest.mark.parametrize("kind", ["halt", "stop-entry"])
async def test_a_halt_given_while_it_was_down_holds_before_a_stale_entry_is_replaced(
    tmp_path: Path, kind: str
) -> None:
    """The start learns that the cancel went through: it would place the entry anew before it obeys anything else."""
    async with cockpit(tmp_path) as held:
        await held.tick(ETH, "10")
        held.prices.last[ETH] = Decimal(11)
        await held.exchange.watch_ticker(ETH)
        assert await held.buy(ETH, "one")
        assert [position.state for position in held.positions(ETH)] == ["ordering"]
        held.prices.last[ETH] = Decimal(12)
        held.engine.state.sends_are_held = True  # it dies before the cancel leaves
        await held.engine.orchestrator.process_market_tick(await held.exchange.watch_ticker(ETH))
        (order,) = held.engine.state.working.orders.values()
        assert order.state == "cancelling"
        save_prices(held, ETH)
        await held.exchange.cancel_order(order.client_order_id, ETH)
    give(tmp_path / "engine.sqlite", kind)
    async with cockpit(tmp_path, now_ms=START_MS + 1_000) as held:
        await held.settle()
        await held.obey()
        await held.settle()
    assert len(queries.orders(tmp_path / "engine.sqlite")) == 1
    (row,) = queries.positions(tmp_path / "engine.sqlite")
    assert row["state"] == "abandoned"


async def test_at_a_start_permissions_do_not_overtake_what_was_given_before_them(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        save_prices(held, BTC)
    database = tmp_path / "engine.sqlite"
    give(database, "resume")
    give(database, "force-enter", symbol=BTC)
    give(database, "halt")
    async with cockpit(tmp_path) as held:
        assert held.permission("engine") == "active"
        await held.obey()
        await held.settle()
        assert held.permission("engine") == "halted"
        assert len(held.positions(BTC)) == 1
