"""`why` names every guard with its numbers, how often it refused, and what would have to change."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from dirigent.explaining.remedies import to_change
from fsm.commit import Progress
from fsm.permission import ENTRIES_STOPPED, HALT_ORDERED
from fsm.records import Record
from services.assessment import Assessor
from services.messages import PairRules, RiskLimits
from tests.command_line.running import document, invoke
from tests.services.bench import Bench, Plan, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import PAIR, closed, trade


async def beat(bench: Bench) -> None:
    """What a heartbeat saves of refusals and verdicts."""
    state = bench.engine.state
    market = bench.engine.market.market(PAIR)
    feed = (PAIR, str(market.last), market.at_ms, bench.engine.signals.why_not(PAIR))
    assessments = bench_assessor(bench).assess([PAIR], bench.now_ms)
    state.save_progress(
        Progress(
            bench.now_ms,
            {"at_ms": bench.now_ms},
            [feed],
            refusals=state.refusals.take_changed(),
            assessments=assessments,
        )
    )


_ASSESSORS: dict[int, Assessor] = {}


def bench_assessor(bench: Bench) -> Assessor:
    return _ASSESSORS.setdefault(id(bench), Assessor(bench.orchestrator))


@asynccontextmanager
async def engine(
    path: Path, rules: PairRules | None = None, limits: RiskLimits | None = None
) -> AsyncIterator[Bench]:
    async with running(path, Plan(ScriptedDesk(), rules or market_rules(), limits or RiskLimits())) as bench:
        try:
            yield bench
        finally:
            _ASSESSORS.pop(id(bench), None)


def why(path: Path, *more: str) -> Any:
    return document("why", PAIR, *more, "--json", "--db", path)


def told(path: Path, *more: str) -> str:
    result: Result = invoke("why", PAIR, *more, "--db", path)
    assert result.exit_code == 0, result.output
    return result.stdout


def guard(answer: Any, name: str) -> Any:
    (row,) = [row for row in answer["guards"] if row["guard"] == name]
    return row


async def test_a_refusing_check_comes_with_its_count_and_what_would_have_to_change(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    async with engine(path, limits=RiskLimits(max_spread=Decimal("0.003"))) as bench:
        await bench.price("10", bid="9.98", ask="10.02")
        for _ in range(12):
            await bench.buy()
        await beat(bench)
    answer = why(path)
    spread = guard(answer, "max_spread")
    assert (spread["holds"], spread["because"]) == (False, "0.4000%, limit 0.3000%")
    assert spread["refused_in_last_hour"] == spread["refused_in_all"] == 12
    assert spread["to_change"].startswith("spread 0.4000% > 0.3000%: ")
    assert guard(answer, "balance")["holds"] is True
    assert guard(answer, "signal_is_new")["holds"] is None
    assert "max_spread: spread 0.4000% > 0.3000%" in answer["answer"]
    assert answer["last_decision"]["target"] == "idle"
    assert "12 times" in told(path)


async def test_a_pair_that_no_strategy_signals_says_what_the_strategies_say(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    async with engine(path) as bench:
        await bench.price("10")
        await beat(bench)
    answer = why(path)
    signal = guard(answer, "a_signal_was_given")
    assert signal["holds"] is False
    assert signal["because"] == bench.engine.signals.why_not(PAIR) != ""
    assert "no signal came" in answer["answer"]
    assert answer["last_decision"] is None


async def test_a_stopped_engine_a_halted_pair_and_a_pause_each_show_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    async with engine(path) as bench:
        await bench.price("10")
        until_ms = bench.now_ms + 60_000

        def pause(record: Record) -> None:
            record.reason, record.due_at_ms = "lunch", until_ms

        def halt(record: Record) -> None:
            record.reason = "the coin is strange"

        await bench.orchestrator.apply("permission", "engine", ENTRIES_STOPPED, pause)
        await bench.orchestrator.apply("permission", PAIR, HALT_ORDERED, halt)
        await beat(bench)
    answer, page = why(path), told(path)
    engine_wide, own = answer["permissions"]
    assert (engine_wide["scope"], engine_wide["state"], engine_wide["reason"]) == (
        "engine",
        "exits_only",
        "lunch",
    )
    assert "ends by itself at 2023-11-14T22:14:20.000Z" in engine_wide["way_out"]
    assert (own["state"], own["reason"]) == ("halted", "the coin is strange")
    assert f"`dirigent resume {PAIR}`" in own["way_out"]
    assert own["since_at"] == "2023-11-14T22:13:20.000Z"
    assert "the coin is strange" in page
    assert "`dirigent resume`" in page


async def test_a_stale_feed_and_a_cool_down_are_told_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    async with engine(path, replace(market_rules(), cooldown_s=60)) as bench:
        await bench.price("10")
        bench.desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
        await bench.buy()
        await bench.sell()
        leaving = bench.position().exit_order_id
        await bench.hear(closed(leaving, trade("f2", leaving, "10", side="sell")))
        await bench.wait(31)
        await beat(bench)
    answer = why(path)
    assert guard(answer, "price_is_fresh")["because"] == "31000 ms old, limit 30000 ms"
    assert guard(answer, "cooldown_is_over")["because"] == "29 s left"
    assert answer["cooldown_until"] == "2023-11-14T22:14:20.000Z"


async def test_a_past_moment_is_told_from_the_journal_and_says_what_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    async with engine(path, limits=RiskLimits(max_open_deals=0)) as bench:
        await bench.price("10")
        for _ in range(3):
            await bench.buy()
        await bench.wait(60)
        await bench.orchestrator.quarantine(PAIR, "later")
        await bench.price("10")
        await bench.buy()
        await bench.wait(600)
        await beat(bench)
    then, now = why(path, "--at", "2023-11-14T22:14:19Z"), why(path)
    at_entry = why(path, "--at", "2")
    check = guard(then, "max_open_deals")
    assert (check["holds"], check["refused_in_last_hour"], check["counted_in"]) == (None, 3, "minutes")
    assert guard(then, "entry_is_permitted")["holds"] is True
    risk = guard(then, "risk_allows_entry")
    assert (risk["holds"], risk["because"]) == (False, "max_open_deals: 0/0 deals in total")
    assert risk["as_of_at"] == "2023-11-14T22:13:20.000Z"
    assert risk["to_change"] is None
    assert then["answer"].endswith(
        "at 2023-11-14T22:13:20.000Z, was refused: max_open_deals: 0/0 deals in total"
    )
    assert any("are not kept" in gap for gap in then["not_known"])
    assert guard(now, "entry_is_permitted")["holds"] is False
    assert now["not_known"] == []
    assert at_entry["last_decision"]["seq"] <= 2


async def test_refusals_older_than_the_minutes_are_counted_in_the_journal_or_said_to_be_unknown(
    tmp_path: Path,
) -> None:
    path = tmp_path / "d.sqlite"
    async with engine(path, limits=RiskLimits(max_open_deals=0)) as bench:
        for _ in range(60):
            await bench.wait(600)
            await bench.price("10")
            await bench.buy()
        await beat(bench)
    then = why(path, "--at", "2023-11-15T01:13:25Z")
    check = guard(then, "max_open_deals")
    assert (check["refused_in_last_hour"], check["counted_in"]) == (6, "journal")


def test_a_pair_that_is_not_there_is_refused_with_the_nearest(database: Path) -> None:
    result = invoke("why", "BTC/USD", "--db", database)
    assert result.exit_code == 2
    assert "BTC/USD is no pair of this database; did you mean BTC/USDT?" in result.stderr


def test_a_database_whose_engine_never_asked_is_explained_by_its_journal(database: Path) -> None:
    answer = document("why", "BTC/USDT", "--json", "--db", database)
    assert answer["engine"]["running"] is False
    assert guard(answer, "risk_allows_entry")["holds"] is False
    assert any("no engine has asked" in gap for gap in answer["not_known"])


@pytest.mark.parametrize(
    ("name", "because", "begins"),
    [
        ("max_spread", "0.3100%, limit 0.3000%", "spread 0.3100% > 0.3000%: "),
        ("max_open_deals", "5/5 deals in total", "5/5 deals in total: "),
        ("max_exposure", "200 with this deal, limit 195", "exposure 200 with this deal > 195: "),
        ("balance", "50 available, 100.200 needed", "50 available < 100.200 needed: "),
        ("min_amount", "0.1 of at least 0.2", "amount 0.1 < 0.2: "),
        ("max_daily_loss", "lost 50 today, limit 50", "lost 50 today >= 50: "),
        ("price_is_fresh", "31000 ms old, limit 30000 ms", "the last price is 31000 ms old > 30000 ms: "),
        ("price_is_fresh", "no price was seen yet", "no price was seen yet: "),
        ("a_guard_of_tomorrow", "1 of 2", "1 of 2"),
    ],
)
def test_what_would_have_to_change_is_a_comparison(name: str, because: str, begins: str) -> None:
    assert to_change(name, because).startswith(begins)


def test_json_and_page_tell_the_same_guards(database: Path) -> None:
    answer = json.loads(invoke("why", "BTC/USDT", "--json", "--db", database).stdout)
    page = invoke("why", "BTC/USDT", "--db", database).stdout
    assert all(row["guard"] in page for row in answer["guards"])
