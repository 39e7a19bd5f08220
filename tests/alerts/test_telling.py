"""People are told everything once, grouped and limited; a channel that fails costs nobody anything."""

import asyncio
from decimal import Decimal
from time import perf_counter

import pytest

from dirigent.alerts.memory import fact_name
from dirigent.alerts.telling import tell
from services.messages import PairRules
from tests.alerts.listeners import Listener, listening
from tests.alerts.tellers import alerts, channel_to, pass_group, places, teller_to, until
from tests.monitoring.stage import staged


async def test_what_was_told_is_not_told_again_and_a_restart_goes_on_from_there(listener: Listener) -> None:
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal(1)
        await pass_group(stage, teller)
        await pass_group(stage, teller)
        assert len(listener.messages) == 1
        await stage.deal(2)
        again = await teller_to(listener, stage)
        await pass_group(stage, again)
    assert [message["title"] for message in listener.messages] == ["dirigent (paper): 1 exit, 2 fills"] * 2


async def test_the_place_in_the_journal_is_in_the_store_before_anything_else_is_told(
    listener: Listener,
) -> None:
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal()
        await pass_group(stage, teller)
        stored = stage.bench.store.load().facts
        key = fact_name(channel_to(listener).key)
        assert stored[key] == stage.engine.state.facts[key]
        assert f'"seq":{stage.engine.state.metrics.transitions}' in stored[key]


async def test_a_channel_that_is_new_is_not_told_of_the_past(listener: Listener) -> None:
    async with staged(alerts=alerts()) as stage:
        await stage.deal()
        teller = await teller_to(listener, stage)
        await pass_group(stage, teller)
    assert listener.asked == 0


async def test_a_channel_that_answers_with_errors_is_told_everything_once_it_works(
    listener: Listener,
) -> None:
    listener.status = 500
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal(1)
        await pass_group(stage, teller)
        await stage.deal(2)
        await teller.step()
        assert (listener.asked, listener.messages) == (2, [])
        listener.status = 200
        await teller.step()
    (message,) = listener.messages
    assert message["title"] == "dirigent (paper): 2 exits, 4 fills"


async def test_the_pauses_before_it_is_tried_again_grow_to_ten_minutes(listener: Listener) -> None:
    listener.status = 500
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal()
        pauses = []
        await pass_group(stage, teller)
        for _ in range(10):
            pauses.append(teller.pause_s)
            await teller.step()
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == pauses[-1] == 600


async def test_a_channel_that_hangs_costs_the_trading_nothing(listener: Listener) -> None:
    listener.is_deaf = True
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage)
        await stage.deal(0)
        await teller.step()
        stage.wait(5)
        telling = asyncio.create_task(teller.step())
        assert await asyncio.to_thread(listener.heard.wait, 10)
        slowest_ms = 0.0
        for number in range(1, 51):
            await stage.deal(number)
            ticker = await stage.bench.price(stage.symbol, "80.00")
            started_s = perf_counter()
            await stage.engine.orchestrator.process_market_tick(ticker)
            slowest_ms = max(slowest_ms, (perf_counter() - started_s) * 1000)
            await asyncio.sleep(0)
        assert not telling.done()
        assert slowest_ms < 1000
        assert stage.engine.state.metrics.ticks == 51 * 2 + 50
        listener.is_deaf = False
        listener.over.set()
        await telling
        await teller.step()
    assert listener.messages[0]["title"] == "dirigent (paper): 51 exits, 102 fills"


async def test_a_channel_that_never_answers_is_given_up_and_no_second_message_piles_up(
    listener: Listener,
) -> None:
    listener.is_deaf = True
    async with staged(alerts=alerts()) as stage:
        teller = await teller_to(listener, stage, patience_s=0.1)
        await stage.deal()
        await pass_group(stage, teller)
        for _ in range(5):
            await teller.step()
    assert listener.asked == 1


async def test_one_dead_channel_keeps_nothing_from_another(listener: Listener) -> None:
    with listening(Listener(status=500)) as dead:
        written = alerts(urls=[dead.url, listener.url], group_s=0.05)
        async with staged(alerts=written) as stage:
            telling = asyncio.create_task(tell(stage))
            async with asyncio.timeout(20):
                await until(lambda: len(places(stage)) == 2)
                await stage.deal()
                await until(lambda: bool(listener.messages), stage)
            telling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await telling
    assert "C0/USDT closed" in listener.bodies
    assert dead.messages == []


async def test_without_an_address_nothing_is_told_and_nothing_is_kept() -> None:
    async with staged() as stage:
        await tell(stage)
        assert not places(stage)


async def test_no_more_messages_leave_than_the_hour_allows_and_nothing_of_them_is_lost(
    listener: Listener,
) -> None:
    rules = PairRules("", stop_loss=Decimal("0.1"))
    async with staged(rules=rules, alerts=alerts(messages_per_hour=10, events=["exits"])) as stage:
        teller = await teller_to(listener, stage)
        for number in range(60):
            await stage.deal(number)
            await teller.step()
            stage.wait(60)
        assert 4 <= len(listener.messages) <= 10
        stage.wait(3600)
        await pass_group(stage, teller)
    told = sum(int(message["title"].split(": ")[1].split()[0]) for message in listener.messages)
    assert told == 60
