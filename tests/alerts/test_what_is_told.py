"""What people read: each kind of event with its subject, its numbers and its reason, once."""

from tests.alerts.listeners import Listener
from tests.alerts.tellers import alerts, pass_group, teller_to
from tests.monitoring.stage import staged
from tests.services.desks import ScriptedDesk

DAY_S = 86_400


async def test_a_deal_is_told_in_one_message_with_its_numbers(listener: Listener) -> None:
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal()
        await teller.step()
        assert listener.messages == []
        stage.wait(5)
        await teller.step()
    (message,) = listener.messages
    assert message["title"] == "dirigent (paper): 1 exit, 2 fills"
    bought, sold, ended = sorted(message["message"].splitlines(), key=lambda line: "closed" in line)
    assert "bought 1" in bought
    assert "at 100 USDT" in bought
    assert "sold" in sold
    assert "C0/USDT closed: -" in ended
    assert "stop_loss" in ended


async def test_a_halt_and_a_quarantine_leave_at_once_with_their_reasons(listener: Listener) -> None:
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        await stage.engine.orchestrator.apply("permission", "engine", "halt_ordered", note="maintenance")
        await teller.step()
        await stage.engine.orchestrator.quarantine(stage.symbol, "a strategy raised ValueError")
        stage.wait(5)
        await teller.step()
        await stage.engine.orchestrator.apply("permission", stage.symbol, "resumed")
        stage.wait(5)
        await teller.step()
    halted, quarantined, resumed = listener.messages
    assert halted["title"] == "dirigent (paper): 1 change of permission"
    assert halted["type"] == "warning"
    assert "the engine is halted" in halted["message"]
    assert "maintenance" in halted["message"]
    assert quarantined["title"] == "dirigent (paper): 1 quarantine"
    assert "a strategy raised ValueError" in quarantined["message"]
    assert "C0/USDT may enter again" in resumed["message"]


async def test_an_unknown_outcome_is_told_and_so_is_its_end(listener: Listener) -> None:
    async with staged(alerts=alerts(events=["unknown_outcomes"])) as stage:
        teller = await teller_to(listener, stage)
        desk = ScriptedDesk(late_arrival_ms=0)
        desk.creates.append(TimeoutError("no answer"))
        desk.fetches += [TimeoutError("no answer"), lambda _: None]
        stage.engine.orders.desk = desk
        await stage.bench.tick(stage.symbol, "100.00")
        await stage.bench.buy(stage.symbol, "one")
        await stage.engine.state.settle(5)
        await teller.step()
        stage.wait(60)
        await stage.engine.orchestrator.update_open_positions()
        await stage.engine.state.settle(5)
        await teller.step()
    lost, found = listener.messages
    assert "nobody knows what became of it" in lost["message"]
    assert "no answer" in lost["message"]
    assert "its outcome is known, rejected" in found["message"]


async def test_a_feed_that_falls_silent_is_told_once_and_again_when_it_speaks(listener: Listener) -> None:
    async with staged(pairs=8, alerts=alerts(stale_feed_s=60)) as stage:
        teller = await teller_to(listener, stage)
        for symbol in stage.engine.symbols:
            await stage.bench.tick(symbol, "100.00")
        await pass_group(stage, teller)
        assert listener.messages == []
        stage.wait(100)
        for symbol in stage.engine.symbols[:1]:
            await stage.bench.tick(symbol, "100.00")
        await pass_group(stage, teller)
        await pass_group(stage, teller)
        again = await teller_to(listener, stage)
        await pass_group(stage, again)
        for symbol in stage.engine.symbols:
            await stage.bench.tick(symbol, "100.00")
        await pass_group(stage, again)
    silent, speaking = listener.messages
    assert "no price for 60 s: C1/USDT, C2/USDT, C3/USDT, C4/USDT, C5/USDT and 2 more" in silent["message"]
    assert "prices come again: C1/USDT" in speaking["message"]


async def test_a_store_that_takes_nothing_is_told_though_nothing_can_be_written(listener: Listener) -> None:
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        stage.bench.store._lost = "the disk is full"
        assert not await stage.engine.orchestrator.apply("permission", "engine", "halt_ordered")
        await teller.step()
        stage.wait(5)
        await teller.step()
        stage.bench.store._lost = ""
        stage.beat()
        stage.wait(5)
        await teller.step()
    faulty, works = listener.messages
    assert "no order can leave: the disk is full" in faulty["message"]
    assert "the store works again" in works["message"]


async def test_a_day_is_summed_up_once_even_when_nobody_ran_at_its_end(listener: Listener) -> None:
    """22:13 UTC when it begins; summed up at 23:00."""
    async with staged(alerts=alerts(daily_summary_at="23:00", events=["daily_summary"])) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal(1)
        await stage.deal(2, exit_price=None)
        await pass_group(stage, teller)
        assert listener.messages == []
        stage.wait(3000)
        again = await teller_to(listener, stage)
        await pass_group(stage, again)
        await pass_group(stage, again)
        equity = stage.engine.risk.equity()
        stage.wait(DAY_S)
        await pass_group(stage, again)
    first, second = listener.messages
    assert "2023-11-14T23:00:00.000Z the day: 1 deals ended, 0 with a profit, -" in first["message"]
    assert "1 positions live" in first["message"]
    assert f"equity {round(equity, 2):f}"[:12] in first["message"]
    assert "2023-11-15T23:00:00.000Z the day: 0 deals ended, 0 with a profit, +0 USDT" in second["message"]


async def test_only_the_chosen_events_are_told(listener: Listener) -> None:
    async with staged(alerts=alerts(events=["exits"])) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal()
        await pass_group(stage, teller)
    (message,) = listener.messages
    assert message["title"] == "dirigent (paper): 1 exit"


async def test_a_flood_is_one_message_that_counts_what_it_does_not_list(listener: Listener) -> None:
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        for number in range(30):
            await stage.deal(number)
        await stage.engine.orchestrator.apply("permission", "engine", "halt_ordered")
        await teller.step()
    (message,) = listener.messages
    assert message["title"] == "dirigent (paper): 1 change of permission, 30 exits, 60 fills"
    lines = message["message"].splitlines()
    assert len(lines) == 21
    assert any("the engine is halted" in line for line in lines)
    assert lines[-1].startswith("and 71 more")
