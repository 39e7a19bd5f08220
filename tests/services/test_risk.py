"""Each risk check refuses with its numbers, and holds exactly at its limit."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fsm.commit import CommitBatch
from fsm.values import ZERO
from persistence.store import SqliteStore
from services.messages import PairRules, RiskLimits
from tests.services.bench import Bench, Plan, limit_rules, market_rules, running, started, ticker
from tests.services.desks import ScriptedDesk
from tests.services.reports import MARKET, PAIR, cancelled, closed, trade

OTHER = "XRP/USDT"


def two_pairs(**others: Any) -> dict[str, PairRules]:
    return {symbol: replace(market_rules(**others), symbol=symbol) for symbol in (PAIR, OTHER)}


def plan_of(
    rules: PairRules | Mapping[str, PairRules] | None = None,
    limits: RiskLimits | None = None,
    quote: str = "1000",
) -> Plan:
    desk = ScriptedDesk(quote=quote)
    desk.rules[OTHER] = replace(MARKET, symbol=OTHER)
    return Plan(desk, rules or limit_rules(), limits or RiskLimits())


async def reason_of(bench: Bench, symbol: str = PAIR) -> str:
    """Why a buy signal is refused; empty when it is taken."""
    decision = await bench.buy(symbol)
    assert decision.taken or bench.pair(symbol).state in ("idle", "open")
    return "" if decision.taken else decision.because.removeprefix("risk_allows_entry: ").partition(";")[0]


# fmt: off
CHECKS = [
    # of    name              value    quote    price   refused with
    ("pair", "deal_quota",     "100",   "100.2", "10",   ""),
    ("pair", "deal_quota",     "100",   "100.1", "10",   "balance: 100.1 available, 100.200 needed"),
    ("pair", "deal_quota",     "8",     "1000",  "40",   ""),
    ("pair", "deal_quota",     "8",     "1000",  "40.1", "min_amount: 0.1 of at least 0.2"),
    ("pair", "deal_quota",     "5",     "1000",  "10",   ""),
    ("pair", "deal_quota",     "4.99",  "1000",  "10",   "min_notional: 4.0 of at least 5"),
    ("all",  "max_exposure",   "100",   "1000",  "10",   ""),
    ("all",  "max_exposure",   "99.99", "1000",  "10",   "max_exposure: 100 with this deal, limit 99.99"),
    ("pair", "max_exposure",   "100",   "1000",  "10",   ""),
    ("pair", "max_exposure",   "99",    "1000",  "10",   "max_pair_exposure: 100 with this deal, limit 99"),
    ("all",  "max_open_deals", "1",     "1000",  "10",   ""),
    ("all",  "max_open_deals", "0",     "1000",  "10",   "max_open_deals: 0/0 deals in total"),
    ("pair", "max_deals",      "1",     "1000",  "10",   ""),
    ("pair", "max_deals",      "0",     "1000",  "10",   "max_deals: 0/0 deals of ADA/USDT"),
]
# fmt: on


@pytest.mark.parametrize(("of", "name", "value", "quote", "price", "refusal"), CHECKS)
async def test_a_check_refuses_beyond_its_limit_and_says_by_how_much(
    tmp_path: Path, of: str, name: str, value: str, quote: str, price: str, refusal: str
) -> None:
    rule: dict[str, Any] = {name: int(value) if name.endswith("deals") else Decimal(value)}
    rules = limit_rules(**rule) if of == "pair" else limit_rules()
    limits = RiskLimits(**rule) if of == "all" else RiskLimits()
    async with running(tmp_path / "d.sqlite", plan_of(rules, limits, quote)) as bench:
        await bench.price(price)
        assert await reason_of(bench) == refusal
        assert bool(bench.desk.requests) is not bool(refusal)


async def test_a_wide_spread_is_refused_and_one_at_the_limit_is_not(tmp_path: Path) -> None:
    limits = RiskLimits(max_spread=Decimal("0.02"))
    async with running(tmp_path / "d.sqlite", plan_of(limits=limits)) as bench:
        await bench.price("10", bid="9.89", ask="10.11")
        assert await reason_of(bench) == "max_spread: 2.2000%, limit 2.0000%"
        await bench.price("10", bid="9.9", ask="10.1")
        assert await reason_of(bench) == ""


async def test_a_jump_of_the_price_is_refused_and_one_at_the_limit_is_not(tmp_path: Path) -> None:
    limits = RiskLimits(max_price_jump=Decimal("0.25"))
    async with running(tmp_path / "d.sqlite", plan_of(limits=limits)) as bench:
        await bench.price("10")
        await bench.price("7.4")
        assert await reason_of(bench) == "max_price_jump: 26.0000%, limit 25.0000%"
        await bench.price("9.25")
        assert await reason_of(bench) == ""


async def test_a_price_may_be_as_old_as_the_limit_and_no_older(tmp_path: Path) -> None:
    limits = RiskLimits(stale_after_s=30)
    async with running(tmp_path / "d.sqlite", plan_of(limits=limits)) as bench:
        await bench.price("10")
        await bench.wait(30.001)
        decision = await bench.buy()
        assert (decision.taken, decision.because) == (True, "price_is_fresh: 30001 ms old, limit 30000 ms")
        assert bench.desk.requests == []
        await bench.sell()
        await bench.price("10")
        await bench.wait(30)
        assert await reason_of(bench) == ""
        assert len(bench.desk.requests) == 1


async def test_a_quota_is_reserved_until_it_is_spent_or_given_back(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", plan_of(two_pairs(), quote="150")) as bench:
        await bench.price("10")
        await bench.price("10", OTHER)
        assert await reason_of(bench) == ""
        entry = bench.position().entry_order_id
        assert await reason_of(bench, OTHER) == "balance: 50 available, 100.200 needed"
        await bench.hear(cancelled(entry))
        assert bench.engine.state.commitments.available == Decimal(150)
        assert await reason_of(bench, OTHER) == ""


async def test_exposure_is_what_the_holdings_cost_and_entries_may_spend(tmp_path: Path) -> None:
    limits = RiskLimits(max_exposure=Decimal(195))
    async with running(tmp_path / "d.sqlite", plan_of(two_pairs(), limits)) as bench:
        await bench.price("10")
        await bench.price("10", OTHER)
        assert await reason_of(bench) == ""
        entry = bench.position().entry_order_id
        assert await reason_of(bench, OTHER) == "max_exposure: 200 with this deal, limit 195"
        await bench.hear(cancelled(entry, trade("f1", entry, "9.5")))
        assert bench.engine.state.commitments.exposure == Decimal(95)
        assert await reason_of(bench, OTHER) == ""


async def test_deals_are_counted_per_pair_and_in_total(tmp_path: Path) -> None:
    limits = RiskLimits(max_open_deals=2)
    async with running(tmp_path / "d.sqlite", plan_of(two_pairs(max_deals=1), limits)) as bench:
        await bench.price("10")
        await bench.price("10", OTHER)
        bench.desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
        assert await reason_of(bench) == ""
        assert await reason_of(bench) == "max_deals: 1/1 deals of ADA/USDT"
        assert await reason_of(bench, OTHER) == ""
        assert bench.engine.state.commitments.deals == 2


class CountingStore:
    """The real store; counts its commits, and refuses as many of them as it is told."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.commits: list[CommitBatch] = []
        self.faults: list[Exception] = []

    def commit(self, batch: CommitBatch) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self._store.commit(batch)
        self.commits.append(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def thousand_pairs() -> Plan:
    desk = ScriptedDesk(quote="1000000")
    symbols = [f"C{number}/USDT" for number in range(1000)]
    desk.rules = {symbol: replace(MARKET, symbol=symbol) for symbol in symbols}
    rules = {symbol: replace(market_rules(), symbol=symbol) for symbol in symbols}
    return Plan(desk, rules, RiskLimits(max_open_deals=10))


async def test_a_thousand_signals_at_once_make_ten_deals_in_one_commit(tmp_path: Path) -> None:
    plan = thousand_pairs()
    with SqliteStore.open(tmp_path / "d.sqlite", tag="dtest") as store:
        counting = CountingStore(store)
        bench = await started(plan, store, counting)
        for symbol in bench.engine.symbols:
            await bench.orchestrator.process_market_tick(ticker("10", bench.now_ms, symbol))
        counting.commits.clear()
        handle = bench.orchestrator.handle_buy_signal
        offers = [handle({"id": symbol, "symbol": symbol}) for symbol in bench.engine.symbols]
        decisions = await asyncio.gather(*offers)
        assert sum(decision.taken for decision in decisions) == 10
        (commit,) = [batch for batch in counting.commits if batch.signals]
        assert len(commit.signals) == 1000
        refused = next(decision for decision in decisions if not decision.taken)
        assert "max_open_deals: 10/10 deals in total" in refused.because
        await bench.settle()
        assert len(bench.desk.requests) == len(bench.engine.state.working.positions) == 10


async def test_a_commit_that_fails_releases_what_its_turns_had_reserved(tmp_path: Path) -> None:
    plan = thousand_pairs()
    with SqliteStore.open(tmp_path / "d.sqlite", tag="dtest") as store:
        counting = CountingStore(store)
        bench = await started(plan, store, counting)
        symbols = bench.engine.symbols[:30]
        for symbol in symbols:
            await bench.orchestrator.process_market_tick(ticker("10", bench.now_ms, symbol))
        handle = bench.orchestrator.handle_buy_signal
        for fault in (OSError("the disk is gone"), TypeError("money is no float")):
            counting.faults.append(fault)
            decisions = await asyncio.gather(*(handle({"id": s, "symbol": s}) for s in symbols))
            assert not any(decision.taken for decision in decisions)
            assert str(fault) in decisions[0].because
            commitments = bench.engine.state.commitments
            assert (commitments.deals, commitments.reserved, commitments.exposure) == (0, ZERO, ZERO)
            assert bench.desk.requests == []
        decisions = await asyncio.gather(*(handle({"id": s, "symbol": s}) for s in symbols))
        assert sum(decision.taken for decision in decisions) == 10
