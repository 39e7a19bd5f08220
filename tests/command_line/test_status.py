"""`status` tells the present as the present: last words are no words of now, and old prices are told as old."""

import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dirigent.heartbeat import Heartbeat
from dirigent.price_ages import told
from fsm.commit import Progress
from persistence.store import SqliteStore
from services.messages import RiskLimits
from services.reconciliation.reconciler import Reconciler
from tests.command_line.running import document, invoke
from tests.reconciliation.accounts import lose_coins, open_deal, traded
from tests.scenarios.stage import Stage
from tests.scenarios.terms import SYMBOL, Terms

FEED: dict[str, Any] = {
    "symbol": SYMBOL,
    "source": "stream",
    "age_s": 0.055,
    "stale": False,
    "reconnects": 0,
    "fault": "",
    "stalls_cured": 0,
    "cured_at_ms": None,
}
LINK: dict[str, Any] = {
    "feeds": [FEED],
    "order_stream": {"source": "stream", "is_connected": True, "gaps": 1, "fault": ""},
    "circuit": {"circuit": "closed", "why": "", "open_until_ms": None, "is_hard": False},
    "order_books": [{"symbol": SYMBOL, "levels": 5, "asked_by": ["x"], "age_s": 0.1, "fault": ""}],
    "ticks_per_s": 3.5,
}
OF_THE_LIVING = ("feeds", "order_stream", "circuit", "order_books", "ticks_per_s")


def beat(store: SqliteStore, at_ms: int, more: Mapping[str, Any] = LINK) -> None:
    heartbeat = {"at_ms": at_ms, "started_at_ms": at_ms - 60_000, "ticks": 7, **more}
    store.save_progress(Progress(at_ms=at_ms, heartbeat=heartbeat, feeds=[], checkpoints={}))


def now_ms() -> int:
    return int(time.time() * 1000)


def lines_of(path: Path) -> dict[str, str]:
    result = invoke("status", "--db", path)
    assert result.exit_code == 0, result.output
    return dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if " " in line)


def test_what_a_living_engine_says_is_told_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    with SqliteStore.open(path) as store:
        beat(store, now_ms())
        found, lines = document("status", "--json", "--db", path), lines_of(path)
    assert found["last_words"] is None
    assert (found["feeds"][0]["age_s"], found["feeds"][0]["stale"]) == (0.055, False)
    assert found["circuit"]["circuit"] == "closed"
    assert (lines["feeds"], lines["circuit"], lines["order_stream"]) == ("1 stream", "closed", "stream")


@pytest.mark.parametrize("is_running", [False, True], ids=["dead", "silent"])
def test_the_last_words_of_a_process_are_not_told_as_the_present(tmp_path: Path, is_running: bool) -> None:
    path = tmp_path / "d.sqlite"
    said_at_ms = now_ms() - 3_600_000
    with SqliteStore.open(path) as store:
        beat(store, said_at_ms)
        if is_running:
            found, lines = document("status", "--json", "--db", path), lines_of(path)
    if not is_running:
        found, lines = document("status", "--json", "--db", path), lines_of(path)
    (feed,) = found["feeds"]
    assert 3600 <= feed["age_s"] < 3660, "from now"
    assert feed["stale"] is True
    assert feed["source"] is None
    for name in ("order_stream", "circuit", "ticks_per_s"):
        assert found[name] is None, name
    words = found["last_words"]
    assert words["at"] == found["at"]
    assert words["circuit"]["circuit"] == "closed"
    assert words["feeds"][0]["age_s"] == 0.055
    for name in OF_THE_LIVING:
        assert lines[name].startswith(f"last words at {words['at']}: "), name
    assert found["ticks"] == 7, "what was counted stays counted"


def test_a_database_in_which_no_engine_ever_spoke_has_no_last_words(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    with SqliteStore.open(path):
        pass
    found, lines = document("status", "--json", "--db", path), lines_of(path)
    assert found["last_words"] is None
    assert "last words" not in str(lines)


async def test_prices_that_arrive_fresh_and_are_old_by_their_own_time_point_at_the_clock(
    tmp_path: Path,
) -> None:
    async with Stage(Terms(limits=RiskLimits(stale_after_s=5)), tmp_path) as stage:
        await stage.start(Decimal(100))
        at_ms = stage.engine.market.market(SYMBOL).at_ms
        fresh = told(stage.engine, [FEED], at_ms + 4_000)["prices"]
        assert (fresh["judged_stale"], fresh["hint"]) == (0, "")
        old = told(stage.engine, [FEED], at_ms + 20_000)["prices"]
        assert (old["judged_stale"], old["of"], old["stale_age_s_min"]) == (1, 1, 20.0)
        assert "clock" in old["hint"]
        assert "20" in old["hint"]
        silent = told(stage.engine, [{**FEED, "stale": True}], at_ms + 20_000)["prices"]
        assert (silent["judged_stale"], silent["hint"]) == (1, ""), "the feed is silent: no word of the clock"
        simulated = told(stage.engine, [], at_ms + 20_000)["prices"]
        assert (simulated["judged_stale"], simulated["hint"]) == (1, "")
        reconciler = Reconciler(stage.engine.orchestrator, stage.exchange, stage._store)
        stage.clock.set(at_ms + 20_000)
        heart = Heartbeat(
            stage.engine, stage.clock, "paper", "x", at_ms, reconciler, connection=lambda: {"feeds": [FEED]}
        )
        said = heart.beat().heartbeat["prices"]
        assert said == old
        path = tmp_path / "d.sqlite"
        with SqliteStore.open(path) as store:
            beat(store, now_ms(), {"feeds": [FEED], "prices": said})
            result = invoke("status", "--db", path)
    assert "prices" in result.stdout
    assert "1 of 1 judged stale: 20.0 s old by their own time, allowed are 5 s" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("hint: ")
    assert "clock" in result.stdout.splitlines()[-1]


def test_the_count_of_differences_says_when_it_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    with SqliteStore.open(path) as store:
        beat(store, now_ms(), {"differences": [], "differences_at_ms": 0})
        assert lines_of(path)["differences"] == "not looked for yet"
        beat(store, now_ms(), {"differences": [{}], "differences_at_ms": 1_700_000_000_000})
        assert lines_of(path)["differences"] == "1, looked at 2023-11-14T22:13:20.000Z"
        unsure = {"differences": [], "differences_at_ms": 1_700_000_000_000, "not_compared": ["holding of X"]}
        beat(store, now_ms(), unsure)
        assert lines_of(path)["differences"] == "0 and 1 not compared, looked at 2023-11-14T22:13:20.000Z"
        assert document("status", "--json", "--db", path)["differences_at"] == "2023-11-14T22:13:20.000Z"


async def test_a_halt_and_the_count_of_the_differences_that_it_came_from_are_told_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment at which a pair is stopped, a heartbeat already knows the plan that stopped it."""
    async with traded(tmp_path) as desk:
        await open_deal(desk)
        await desk.reconcile()
        await lose_coins(desk, "4")
        heart = Heartbeat(desk.engine, desk.clock, "paper", "paper", 0, desk.reconciler)
        told_then: list[dict[str, Any]] = []
        quarantine = desk.engine.orchestrator.quarantine

        async def watched(symbol: str, reason: str) -> None:
            await quarantine(symbol, reason)
            told_then.append(dict(heart.beat().heartbeat))

        monkeypatch.setattr(desk.engine.orchestrator, "quarantine", watched)
        await desk.reconcile()
    assert told_then
    for said in told_then:
        assert "holding_missing" in {row["what"] for row in said["differences"]}
        assert said["differences_at_ms"]
