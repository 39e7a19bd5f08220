"""pairs add and remove: in the running engine, over restarts, and with deals that live meanwhile."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dirigent.venues import Refused
from fsm.records import Fill
from persistence import journal_queries
from services.messages import OrderNews, OrderReport, OrderStatus
from tests.steering.cockpit import BTC, CONFIGURATION, ETH, LTC, Cockpit, cockpit

EXTERNAL: dict[str, Any] = {
    "symbol": LTC,
    "strategy": [{"name": "external", "weight": 1, "params": {}}],
    "deal_quota": "50",
    "stop_loss": "0.1",
}


async def priced(held: Cockpit) -> None:
    for symbol, price in ((BTC, "100"), (ETH, "10"), (LTC, "80")):
        if symbol in held.engine.symbols:
            await held.tick(symbol, price)


async def test_an_added_pair_trades_by_its_rules_and_after_a_restart(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        answer = await held.command("pairs-add", pairs=[EXTERNAL])
        assert answer.words == f"traded from now on: {LTC}; kept over restarts"
        await priced(held)
        assert await held.buy(LTC, "one")
        (position,) = held.positions(LTC)
        assert position.spent == 50
    async with cockpit(tmp_path, now_ms=1_700_000_100_000) as held:
        assert held.engine.risk.rules[LTC].stop_loss == Decimal("0.1")
        await priced(held)
        await held.tick(LTC, "60")
        assert held.positions(LTC) == [], "its stop holds after the restart"
        await held.tick(LTC, "60")
        assert await held.buy(LTC, "two")


async def test_an_added_pairs_feed_begins(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        held.prices.last[LTC] = Decimal(80)
        await held.command("pairs-add", pairs=[EXTERNAL])
        for _ in range(20):
            await asyncio.sleep(0)
        assert held.engine.market.market(LTC).last == 80
        held.helm.feeds.raise_faults()


async def test_a_pair_that_cannot_be_traded_is_refused_and_all_with_it(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        for other, words in (
            ({"symbol": BTC}, f"{BTC} is traded already"),
            ({"symbol": "LTC/EUR"}, "LTC/EUR is not in USDT; trade it with an engine of its own"),
        ):
            answer = await held.command("pairs-add", pairs=[EXTERNAL, {**EXTERNAL, **other}])
            assert (answer.outcome, answer.words) == ("refused", words)
        malformed = await held.command("pairs-add", pairs=[{**EXTERNAL, "stop_loss": "2"}])
        assert malformed.outcome == "refused"
        assert held.engine.symbols == [BTC, ETH]
        assert "pairs_added" not in held.engine.state.facts


async def test_a_removed_pair_leaves_and_is_then_gone_also_after_a_restart(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.buy(BTC, "one")
        answer = await held.command("pairs-remove", symbol=BTC)
        assert answer.words == f"{BTC} enters no more and is gone when flat; positions that live: 1"
        assert BTC in held.engine.symbols, "it still has to leave"
        assert not await held.buy(BTC, "two")
    async with cockpit(tmp_path, now_ms=1_700_000_100_000) as held:
        await priced(held)
        assert BTC in held.engine.symbols
        assert not await held.buy(BTC, "three")
        (position,) = held.positions(BTC)
        await held.command("force-exit", id=position.id)
        await held.settle()
        await held.obey()
        assert held.engine.symbols == [ETH]
    async with cockpit(tmp_path, now_ms=1_700_000_200_000) as held:
        assert held.engine.symbols == [ETH]


async def test_a_removed_pair_waits_for_its_price_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.command("pairs-remove", symbol=BTC)
        assert held.engine.symbols == [ETH]
        feed = asyncio.create_task(held.helm.feeds.watch_ticker(BTC))
        await asyncio.sleep(0.01)
        assert not feed.done()
        again = {**EXTERNAL, "symbol": BTC}
        assert (await held.command("pairs-add", pairs=[again])).outcome == "done"
        async with asyncio.timeout(5):
            assert (await feed)["symbol"] == BTC
        await held.tick(BTC, "100")
        assert await held.buy(BTC, "one")


async def test_an_order_that_fills_after_its_pair_was_gone_brings_the_pair_back_to_leave(
    tmp_path: Path,
) -> None:
    async with cockpit(tmp_path) as held:
        await priced(held)
        await held.tick(ETH, "10")
        held.prices.last[ETH] = Decimal(11)
        await held.exchange.watch_ticker(ETH)
        await held.buy(ETH, "one")
        (position,) = held.positions(ETH)
        await held.command("cancel-order", id=position.entry_order_id)
        await held.settle()
        await held.command("pairs-remove", symbol=ETH)
        assert held.engine.symbols == [BTC]
        fill = Fill(
            "late", position.entry_order_id, ETH, "buy", Decimal(5), Decimal(10), Decimal(0), "USDT", 1
        )
        report = OrderReport(position.entry_order_id, ETH, "1", OrderStatus.CANCELED, Decimal(5), (fill,))
        held.engine.state.deliver(OrderNews(position.entry_order_id, ETH, report))
        await held.engine.orchestrator.update_open_positions()
        await held.obey()
        assert [one.state for one in held.positions(ETH)] == ["open"]
        assert held.engine.symbols == [BTC, ETH]
        assert not held.helm.pairs.is_traded(ETH)


async def test_the_last_pair_stays(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.command("pairs-remove", symbol=ETH)
        answer = await held.command("pairs-remove", symbol=BTC)
        assert (answer.outcome, answer.words) == (
            "refused",
            f"{BTC} is the last pair: halt the engine, or stop it",
        )
        assert (await held.command("pairs-remove", symbol=LTC)).words.startswith(f"{LTC} is not traded")
        assert (await held.command("resume", symbol=ETH)).outcome == "refused"


async def test_a_configuration_of_removed_pairs_alone_is_refused_at_the_start(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.command("pairs-remove", symbol=ETH)
    only_eth = CONFIGURATION[CONFIGURATION.index("[[pairs]]", 20) :]
    with pytest.raises(Refused, match="every configured pair was removed"):
        async with cockpit(tmp_path, only_eth):
            pass


async def test_what_commands_do_to_pairs_is_journaled_with_the_person(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.command("pairs-add", pairs=[EXTERNAL])
        await held.command("pairs-remove", symbol=ETH)
    notes = [row["note"] for row in journal_queries.entries(tmp_path / "engine.sqlite") if row["note"]]
    assert [note.partition(" (command ")[0] for note in notes] == [
        "person Ada: adds the pair",
        "person Ada: removes the pair",
        "person Ada: removes the pair",
    ]
