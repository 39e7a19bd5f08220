"""Turns that are ready together share a commit; what was not committed has not happened."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from fsm.commit import CommitBatch, StoreConflict, StoreError
from fsm.values import MONEY, ZERO
from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.messages import OrderNews, RiskLimits
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn
from tests.services.bench import NOW_MS, Bench, Plan, limit_rules, market_rules, running, started, ticker
from tests.services.desks import MarketDesk, ScriptedDesk
from tests.services.reports import MARKET, PAIR, cancelled, closed, trade

SYMBOLS = tuple(f"{coin}/USDT" for coin in ("AAA", "BBB", "CCC"))


class FrailStore:
    """The real store, but for what is scripted to fail."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.commits: list[CommitBatch] = []
        self.commit_faults: list[Exception] = []
        self.read_faults: list[Exception] = []

    def commit(self, batch: CommitBatch) -> None:
        if self.commit_faults:
            raise self.commit_faults.pop(0)
        self._store.commit(batch)
        self.commits.append(batch)

    def _read(self, question: str, *key: str) -> Any:
        if self.read_faults:
            raise self.read_faults.pop(0)
        return getattr(self._store, question)(*key)

    def has_fill(self, symbol: str, fill_id: str) -> bool:
        return bool(self._read("has_fill", symbol, fill_id))

    def find_position(self, position_id: str) -> Any:
        return self._read("find_position", position_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


Starter = Callable[[Plan], Awaitable[tuple[Bench, FrailStore]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Starts an engine over a frail store."""
    with ExitStack() as open_stores:

        async def start(plan: Plan) -> tuple[Bench, FrailStore]:
            store = open_stores.enter_context(SqliteStore.open(tmp_path / "d.sqlite", tag="dtest"))
            frail = FrailStore(store)
            return await started(plan, store, frail), frail

        yield start


def three_pairs() -> Plan:
    desk = ScriptedDesk()
    desk.rules = {symbol: replace(MARKET, symbol=symbol) for symbol in SYMBOLS}
    rules = {symbol: replace(limit_rules(), symbol=symbol) for symbol in SYMBOLS}
    return Plan(desk, rules)


async def buy_all(bench: Bench, name: str) -> list[bool]:
    handle = bench.orchestrator.handle_buy_signal
    decisions = await asyncio.gather(*(handle({"id": f"{name}{s}", "symbol": s}) for s in SYMBOLS))
    await bench.settle()
    return [decision.taken for decision in decisions]


async def test_turns_that_are_ready_together_share_one_transaction(start: Starter) -> None:
    bench, store = await start(three_pairs())
    for symbol in SYMBOLS:
        await bench.price("10", symbol)
    store.commits.clear()
    assert await buy_all(bench, "a") == [True] * 3
    entries, *acknowledgements = store.commits
    assert len([entry for entry in entries.journal if entry.event == "order_submitted"]) == 3
    assert len(entries.outbox) == 3
    assert len(acknowledgements) <= 3


def failing(error: Exception) -> Callable[[Turn], None]:
    def work(turn: Turn) -> None:
        turn.raise_event("pair", turn.symbol, "buy_signalled")
        raise error

    return work


async def test_a_turn_that_fails_harms_no_other(start: Starter) -> None:
    bench, _ = await start(three_pairs())
    for symbol in SYMBOLS:
        await bench.price("10", symbol)
    bad = bench.engine.state.transact(SYMBOLS[0], failing(ZeroDivisionError("by zero")))
    taken = await buy_all(bench, "a")
    assert taken == [True] * 3
    with pytest.raises(ZeroDivisionError):
        await bad


async def test_urgent_mail_goes_first_and_mail_of_one_kind_keeps_its_order(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", three_pairs()) as bench:
        order: list[str] = []
        transact = bench.engine.state.transact

        def note(word: str) -> Callable[[Turn], None]:
            return lambda turn: order.append(word)

        mails = [
            transact(SYMBOLS[0], note("entry 1")),
            transact(SYMBOLS[1], note("exit 1"), urgent=True),
            transact(SYMBOLS[2], note("entry 2")),
            transact(SYMBOLS[0], note("exit 2"), urgent=True),
        ]
        await asyncio.gather(*mails)
        assert order == ["exit 1", "exit 2", "entry 1", "entry 2"]


FAULTS = [StoreError("the disk is full"), OSError("the disk is gone"), TypeError("money is no float")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_failed_commit_leaves_the_working_set_as_it_was(start: Starter, fault: Exception) -> None:
    bench, store = await start(three_pairs())
    for symbol in SYMBOLS:
        await bench.price("10", symbol)
    state = bench.engine.state
    before = {symbol: state.pair(symbol) for symbol in SYMBOLS}
    store.commit_faults.append(fault)
    assert await buy_all(bench, "a") == [False] * 3
    assert str(fault) in state.store_fault
    assert {symbol: state.pair(symbol) for symbol in SYMBOLS} == before
    assert (state.working.positions, state.working.orders, bench.desk.calls) == ({}, {}, [])
    assert await buy_all(bench, "a") == [True] * 3
    assert state.store_fault == ""


async def test_a_fault_that_lasts_while_reservations_are_released_reaches_every_waiter(
    start: Starter,
) -> None:
    bench, store = await start(three_pairs())
    for symbol in SYMBOLS:
        await bench.price("10", symbol)
    store.commit_faults.append(StoreError("the disk is gone"))
    store.read_faults.extend([StoreError("the disk is gone")] * 100)
    async with asyncio.timeout(5):
        decisions = await asyncio.gather(
            *(bench.orchestrator.handle_buy_signal({"id": s, "symbol": s}) for s in SYMBOLS)
        )
    assert not any(decision.taken for decision in decisions)
    assert bench.engine.state.commitments.deals == 0


async def test_a_conflict_in_the_store_reaches_the_caller(start: Starter) -> None:
    bench, store = await start(three_pairs())
    store.commit_faults.append(StoreConflict("another engine took it over"))
    await bench.price("10", SYMBOLS[0])
    with pytest.raises(StoreConflict):
        await bench.buy(SYMBOLS[0])


@pytest.mark.parametrize("where", ["commit_faults", "read_faults"])
async def test_a_report_is_kept_until_the_store_takes_it(start: Starter, where: str) -> None:
    plan = Plan(ScriptedDesk())
    bench, store = await start(plan)
    entry = await bench.enter()
    getattr(store, where).append(StoreError("the disk is full"))
    await bench.hear(closed(entry, trade("f1", entry, "10")))
    assert bench.order(entry).state == "working"
    await bench.update()
    assert bench.order(entry).state == "filled"
    assert bench.position().quantity == Decimal(10)
    assert bench.permission() == "active"


async def test_a_report_survives_a_failed_commit_beside_a_turn_that_raised(start: Starter) -> None:
    bench, store = await start(three_pairs())
    first, second = SYMBOLS[:2]
    await bench.price("10", first)
    assert (await bench.buy(first)).taken
    entry = bench.position().entry_order_id
    state = bench.engine.state
    report = replace(cancelled(entry), symbol=first)
    state.deliver(OrderNews(entry, first, report))
    broken = state.transact(second, failing(ZeroDivisionError("by zero")))
    store.commit_faults.append(StoreError("the disk is full"))
    await bench.update()
    with pytest.raises(ZeroDivisionError):
        await broken
    await bench.update()
    assert bench.order(entry).state == "cancelled"


async def test_a_deadline_that_cannot_be_committed_is_passed_in_the_next_round(start: Starter) -> None:
    bench, store = await start(Plan(ScriptedDesk(), limit_rules(entry_max_age_s=5)))
    entry = await bench.enter()
    store.commit_faults.append(StoreError("the disk is full"))
    await bench.wait(5)
    assert bench.order(entry).state == "working"
    await bench.update()
    assert bench.order(entry).state == "cancelling"


async def test_what_has_ended_leaves_memory_and_can_still_be_found(tmp_path: Path) -> None:
    clock = GivenClock(NOW_MS)
    plan = Plan(MarketDesk(clock, quote="100000"), market_rules(max_deals=50), clock=clock)
    plan.limits = RiskLimits(max_open_deals=50)
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        for _ in range(20):
            assert (await bench.buy()).taken
        deals = list(bench.engine.state.working.positions)
        await bench.sell()
        working = bench.engine.state.working
        assert (working.positions, working.orders) == ({}, {})
        assert not working.watches.get(PAIR)
        assert not list(working.positions_of(PAIR))
        await bench.wait(3600)
        assert working._due == []
        assert [bench.position(deal).state for deal in deals] == ["closed"] * 20


async def test_the_books_do_not_depend_on_the_threads_decimal_context(tmp_path: Path) -> None:
    """Libraries change it; money must not follow."""
    with localcontext(prec=3):
        clock = GivenClock(NOW_MS)
        plan = Plan(MarketDesk(clock, fee="0.001", quote="12345.6789"), market_rules(), clock=clock)
        async with running(tmp_path / "d.sqlite", plan) as bench:
            await bench.enter("9.87")
            ledger, book = bench.engine.state.commitments, plan.desk.book  # type: ignore[attr-defined]
            assert ledger.exposure == Decimal("99.687")
            await bench.price("10.11")
            assert ledger.quote_total == book.ledger.total("USDT")
            assert bench.engine.risk.equity() == MONEY.add(ledger.quote_total, Decimal("102.111"))
            await bench.sell()
            assert ledger.quote_total == book.ledger.total("USDT")
            assert (ledger.exposure, ledger.reserved) == (ZERO, ZERO)


async def test_two_orchestrators_over_the_same_services_are_interchangeable_in_mid_flight(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        engine = bench.engine
        second = TradingOrchestrator(engine.signals, engine.orders, engine.risk, engine.market, engine.state)
        entry = await bench.enter()
        engine.state.deliver(OrderNews(entry, PAIR, closed(entry, trade("f1", entry, "10"))))
        await asyncio.gather(second.update_open_positions(), bench.orchestrator.update_open_positions())
        await second.process_market_tick(ticker("10", bench.now_ms))
        assert bench.position().state == "open"
        assert (await second.handle_sell_signal({"id": "s", "symbol": PAIR})).taken
        await bench.settle()
        leaving = bench.position().exit_order_id
        await bench.hear(closed(leaving, trade("f2", leaving, "10", side="sell")))
        assert engine.state.working.positions == {}
        assert bench.permission() == "active"
