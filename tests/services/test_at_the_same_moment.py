"""What happens at the same moment, before the engine has answered any of it, does not disturb the rest."""

import asyncio
from collections.abc import Awaitable
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.messages import OrderNews
from tests.services.bench import NOW_MS, Bench, Plan, limit_rules, running, started, ticker
from tests.services.desks import MarketDesk, ScriptedDesk
from tests.services.reports import PAIR, closed, trade


async def at_once(bench: Bench, *moves: Awaitable[object]) -> None:
    await asyncio.gather(*moves)
    await bench.settle()


async def waiting_for_a_price(bench: Bench) -> int:
    """A buy signal is accepted before any price was seen; its expiry."""
    assert (await bench.buy()).taken
    assert bench.pair().state == "signalled"
    due_at_ms = bench.pair().due_at_ms
    assert due_at_ms is not None
    return due_at_ms


@pytest.mark.parametrize("with_deadline", [False, True])
async def test_a_price_at_the_moment_of_expiry_enters_nothing(tmp_path: Path, with_deadline: bool) -> None:
    clock = GivenClock(NOW_MS)
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), clock=clock)) as bench:
        clock.set(await waiting_for_a_price(bench))
        moves: list[Awaitable[object]] = [bench.orchestrator.process_market_tick(ticker("10", bench.now_ms))]
        if with_deadline:
            moves.append(bench.orchestrator.update_open_positions())
        await at_once(bench, *moves)
        assert bench.pair().state == "idle"
        assert bench.desk.calls == []
        assert bench.permission() == "active"


async def test_a_price_and_a_sell_signal_settle_a_waiting_buy_signal_once(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        await waiting_for_a_price(bench)
        await at_once(
            bench,
            bench.orchestrator.handle_sell_signal({"id": "s", "symbol": PAIR}),
            bench.orchestrator.process_market_tick(ticker("10", bench.now_ms)),
        )
        assert bench.pair().state == "idle"
        assert bench.desk.calls == []
        assert bench.permission() == "active"


async def test_a_report_and_the_deadline_it_answers_may_come_together(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), clock=clock)) as bench:
        entry = await bench.enter()
        clock.set(bench.now_ms + 30_000)
        report = closed(entry, trade("f1", entry, "10"))
        update = bench.orchestrator.update_open_positions
        bench.engine.state.deliver(OrderNews(entry, PAIR, report))
        await at_once(bench, update(), update(), update())
        assert bench.position().state == "open"
        assert bench.permission() == "active"


async def test_an_entry_that_fills_at_the_end_of_its_patience_is_held_for_its_full_time(
    tmp_path: Path,
) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(ScriptedDesk(), limit_rules(entry_max_age_s=20, max_hold_s=60), clock=clock)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        entry = await bench.enter()
        clock.set(bench.now_ms + 20_000)
        bench.engine.state.deliver(OrderNews(entry, PAIR, closed(entry, trade("f1", entry, "10"))))
        await bench.update()
        assert (bench.position().state, bench.position().due_at_ms) == ("open", bench.now_ms + 60_000)


async def test_an_entry_that_fills_while_the_market_runs_away_is_a_position(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        entry = await bench.enter()
        report = closed(entry, trade("f1", entry, "10"))
        bench.engine.state.deliver(OrderNews(entry, PAIR, report))
        await at_once(
            bench,
            bench.orchestrator.update_open_positions(),
            bench.orchestrator.process_market_tick(ticker("10.30", bench.now_ms)),
        )
        assert bench.position().state == "open"
        assert bench.desk.asked("cancel") == []
        assert bench.permission() == "active"


async def test_one_signal_handed_in_twice_at_once_is_taken_once(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk(), limit_rules(max_deals=5))) as bench:
        await bench.price("10")
        buy = bench.orchestrator.handle_buy_signal
        await at_once(bench, *(buy({"id": "once", "symbol": PAIR}) for _ in range(10)))
        assert len(bench.engine.state.working.positions) == 1
        assert len(bench.desk.asked("create")) == 1


MOVES = ("price", "price", "price", "buy", "sell", "update", "time")


async def a_busy_hour(seed: int, path: Path) -> None:
    """Random moves, up to four of them begun before any is answered, over real matching."""
    random = Random(seed)
    clock = GivenClock(NOW_MS)
    desk = MarketDesk(clock, fee="0.001", fee_in=random.choice(["quote", "base"]))
    rules = limit_rules(
        order_type=random.choice(["limit", "market"]),
        max_deals=3,
        take_profit=Decimal("0.02"),
        stop_loss=Decimal("0.03"),
        trailing_stop=Decimal("0.02"),
        entry_max_age_s=20,
        entry_max_deviation=Decimal("0.01"),
        max_hold_s=120,
        cooldown_s=5,
    )
    with SqliteStore.open(path, tag="dtest") as store:
        bench = await started(Plan(desk, rules, clock=clock), store)
        price, moves = 1000, 0
        for _ in range(60):
            batch: list[Awaitable[object]] = []
            for _ in range(random.randint(1, 4)):
                moves += 1
                kind = random.choice(MOVES)
                if kind == "time":
                    clock.set(bench.now_ms + random.choice([100, 1_000, 10_000, 30_000]))
                elif kind == "update":
                    batch.append(bench.orchestrator.update_open_positions())
                elif kind == "price":
                    price += random.randint(-15, 15)
                    last = Decimal(price).scaleb(-2)
                    for report in desk.move(PAIR, last):
                        bench.engine.state.deliver(OrderNews(report.client_order_id, PAIR, report))
                    batch.append(bench.orchestrator.process_market_tick(ticker(f"{last:f}", clock.now_ms())))
                else:
                    handle = getattr(bench.orchestrator, f"handle_{kind}_signal")
                    batch.append(handle({"id": f"m{moves}", "symbol": PAIR}))
            await asyncio.gather(*batch)
            if random.random() < 0.7:
                await bench.settle()
        await bench.settle()
        await bench.update()
        assert bench.permission() == "active", bench.engine.state.permission(PAIR).reason
        deals = bench.every_position()
        commitments = bench.engine.state.commitments
        assert desk.book.ledger.total("ADA") == sum(deal.quantity + deal.dust for deal in deals)
        assert desk.book.ledger.total("USDT") == commitments.quote_total
        assert commitments.deals == len(bench.engine.state.working.positions)
        assert len(desk.asked("create")) == len(set(desk.asked("create")))


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_whatever_happens_at_once_no_pair_is_quarantined_and_the_books_agree(seed: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(a_busy_hour(seed, Path(folder) / "d.sqlite"))
