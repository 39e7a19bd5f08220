"""Refusals are counted once a pair and guard, in bounded space, and outlast a restart."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fsm.commit import Progress
from fsm.refusals import HOURS_KEPT, MINUTE_MS, MINUTES_KEPT, Answer, Assessment, Refusal, refusing
from fsm.values import Verdict
from persistence.store import SqliteStore
from services.refusals import RefusalMemory
from tests.persistence.deals import SYMBOL, pair

HOUR_MS = 60 * MINUTE_MS
NOON_MS = 472_000 * HOUR_MS


def test_the_same_refusal_again_is_counted_and_keeps_the_latest_numbers() -> None:
    memory = RefusalMemory()
    for second in range(312):
        memory.note(SYMBOL, "max_open_deals", f"5/5 deals, {second}", NOON_MS + second * 1000)
    (refusal,) = memory.all()
    assert (refusal.count, refusal.because) == (312, "5/5 deals, 311")
    assert (refusal.first_at_ms, refusal.last_at_ms) == (NOON_MS, NOON_MS + 311_000)
    assert refusal.in_hour_before(NOON_MS + 311_000) == 312


def test_the_hour_is_the_sixty_minutes_before_a_moment_and_no_more() -> None:
    refusal = Refusal(SYMBOL, "balance", "", NOON_MS, NOON_MS)
    for minute in range(90):
        refusal.add("", NOON_MS + minute * MINUTE_MS)
    assert refusal.in_hour_before(NOON_MS + 89 * MINUTE_MS) == 60
    assert refusal.in_hour_before(NOON_MS + 59 * MINUTE_MS) == 60
    assert refusal.in_hour_before(NOON_MS + 9 * MINUTE_MS) == 10
    assert refusal.in_hour_before(NOON_MS + 89 * MINUTE_MS + 2 * HOUR_MS) == 0


def test_of_an_hour_that_is_kept_as_a_sum_no_minutes_are_claimed() -> None:
    refusal = Refusal(SYMBOL, "balance", "", NOON_MS, NOON_MS)
    for minute in range(0, 600, 5):
        refusal.add("", NOON_MS + minute * MINUTE_MS)
    assert refusal.in_hour_before(NOON_MS + HOUR_MS) is None
    assert refusal.in_hour_before(NOON_MS + 595 * MINUTE_MS) == 12
    assert sum(refusal.hours.values()) + sum(refusal.minutes.values()) == refusal.count


@given(st.lists(st.integers(0, 200 * 24 * 60), max_size=400))
def test_a_memory_of_any_length_of_time_is_bounded(minutes: list[int]) -> None:
    refusal = Refusal(SYMBOL, "balance", "", NOON_MS, NOON_MS)
    for minute in minutes:
        refusal.add("", NOON_MS + minute * MINUTE_MS)
        assert len(refusal.minutes) <= MINUTES_KEPT
        assert len(refusal.hours) <= HOURS_KEPT + 1
    assert refusal.count == len(minutes)


def test_a_risk_check_refuses_under_its_own_name() -> None:
    verdicts = (
        Verdict("price_is_fresh", True, "0 ms old"),
        Verdict("risk_allows_entry", False, "max_spread: 0.3100%, limit 0.3000%"),
        Verdict("no_position_lives", False, "1 open, 0 closing"),
    )
    assert refusing(verdicts) == ("max_spread", "0.3100%, limit 0.3000%")


def test_a_guard_that_only_chooses_the_row_refuses_nothing() -> None:
    verdicts = (
        Verdict("price_is_fresh", True, "0 ms old"),
        Verdict("no_position_lives", False, "1 open, 0 closing"),
        Verdict("a_position_is_open", True, "1 open, 0 closing"),
    )
    assert refusing(verdicts) is None


def test_only_what_changed_is_saved_and_a_start_takes_all_of_it_back(tmp_path: Path) -> None:
    path, memory = tmp_path / "books.sqlite", RefusalMemory()
    memory.note(SYMBOL, "max_spread", "0.31%, limit 0.30%", NOON_MS)
    memory.note(SYMBOL, "balance", "nul \0 and half a pair \ud800", NOON_MS + 1)
    assessment = Assessment(SYMBOL, NOON_MS, (Answer(Verdict("balance", False, "poor"), NOON_MS - 5),))
    with SqliteStore.open(path) as store:
        store.save_progress(Progress(NOON_MS, refusals=memory.take_changed(), assessments=[assessment]))
        assert memory.take_changed() == []
        for _ in range(3):
            memory.note(SYMBOL, "max_spread", "0.32%, limit 0.30%", NOON_MS + 2 * MINUTE_MS)
        (changed,) = memory.take_changed()
        store.save_progress(Progress(NOON_MS + 1, refusals=[changed]))
    restarted = RefusalMemory()
    with SqliteStore.open(path) as store:
        restarted.restore(store.refusals())
        assert store.assessments() == [assessment]
    restarted.note(SYMBOL, "max_spread", "0.33%, limit 0.30%", NOON_MS + 3 * MINUTE_MS)
    kept = {refusal.guard: refusal for refusal in restarted.all()}
    assert kept["balance"].because == "nul \ufffd and half a pair \ufffd"
    assert (kept["max_spread"].count, kept["max_spread"].because) == (5, "0.33%, limit 0.30%")
    assert kept["max_spread"].first_at_ms == NOON_MS
    assert kept["max_spread"].in_hour_before(NOON_MS + 3 * MINUTE_MS) == 5


def test_a_pair_keeps_its_name_in_the_rows(tmp_path: Path) -> None:
    memory = RefusalMemory()
    for symbol in (pair().symbol, "ETH/USDT"):
        memory.note(symbol, "max_open_deals", "5/5", NOON_MS)
    with SqliteStore.open(tmp_path / "books.sqlite") as store:
        store.save_progress(Progress(NOON_MS, refusals=memory.all()))
        assert [refusal.symbol for refusal in store.refusals()] == [SYMBOL, "ETH/USDT"]
