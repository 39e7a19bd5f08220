"""force-exit, force-enter and cancel-order: by the same tables and checks as everything."""

from pathlib import Path

from fsm.values import ExitReason
from persistence import queries
from tests.steering.cockpit import BTC, ETH, cockpit


async def test_a_forced_exit_sells_the_position(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        await held.buy(BTC, "one")
        (position,) = held.positions(BTC)
        answer = await held.command("force-exit", id=position.id)
        assert answer.words == f"position {position.id} is closing: order {position.id}x0001 sells it"
        await held.settle()
        assert held.positions(BTC) == []
        again = await held.command("force-exit", id=position.id)
        assert (again.outcome, again.words) == ("refused", f"position {position.id} is closed: it has ended")
    (row,) = queries.positions(tmp_path / "engine.sqlite")
    assert row["exit_reason"] == ExitReason.FORCE


async def test_all_leave_and_an_entry_in_flight_is_withdrawn(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        await held.tick(ETH, "10")
        await held.buy(BTC, "one")
        held.prices.last[ETH] = held.prices.last[ETH] + 1
        await held.exchange.watch_ticker(ETH)
        await held.buy(ETH, "two")
        assert [position.state for position in held.positions(ETH)] == ["ordering"], (
            "it rests below the market"
        )
        answer = await held.command("force-exit", id="all")
        assert answer.words.startswith("2 positions leave: ")
        await held.settle()
        assert not held.engine.state.working.positions
        states = {row["symbol"]: row["state"] for row in queries.positions(held.store.path)}
        assert states == {BTC: "closed", ETH: "abandoned"}
        assert (await held.command("force-exit", id="all")).words == "no position lives"


async def test_a_forced_entry_is_a_deal_like_any_other(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        answer = await held.command("force-enter", symbol=BTC, reason="I like it")
        await held.settle()
        (position,) = held.positions(BTC)
        assert (
            answer.words
            == f"position {position.id} is ordering: order {position.id}e0001 buys {position.bought:f}"
            f" of {BTC} at the market"
        )
        assert (position.state, position.quantity) == ("open", position.bought)
        assert position.reason.startswith("person Ada: I like it (command ")


async def test_a_forced_entry_that_a_check_refuses_says_so_with_numbers(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        await held.buy(BTC, "one")
        answer = await held.command("force-enter", symbol=BTC)
        assert (answer.outcome, answer.words) == (
            "refused",
            f"{BTC} does not enter: risk_allows_entry: max_deals: 1/1 deals of {BTC}",
        )
        assert len(held.positions(BTC)) == 1


async def test_a_forced_entry_without_a_price_waits_for_one(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        answer = await held.command("force-enter", symbol=BTC)
        assert (
            answer.words == f"{BTC} is signalled: it enters on the next price that is fresh, or says why not"
        )
        await held.tick(BTC, "100")
        assert [position.state for position in held.positions(BTC)] == ["open"]


async def test_an_entry_cancelled_by_a_person_is_not_placed_again(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(ETH, "10")
        held.prices.last[ETH] = held.prices.last[ETH] + 1
        await held.exchange.watch_ticker(ETH)
        await held.buy(ETH, "one")
        (position,) = held.positions(ETH)
        assert position.state == "ordering"
        answer = await held.command("cancel-order", id=position.entry_order_id)
        assert answer.outcome == "done"
        await held.settle()
        assert held.positions(ETH) == []
        (order,) = queries.orders(held.store.path)
        assert order["state"] == "cancelled"
        again = await held.command("cancel-order", id=position.entry_order_id)
        assert again.words == f"order {position.entry_order_id} is cancelled: it has ended"
