"""When an exchange is left alone, for how long, and who may still call."""

from dataclasses import dataclass
from functools import partial

import pytest

from services.exchanges.ccxt_exchange.breaker import (
    PROBE_PAUSE_MAX_MS,
    PROBE_PAUSE_MIN_MS,
    Breaker,
    Circuit,
)


@dataclass
class Clock:
    at_ms: int = 1_000_000

    def now_ms(self) -> int:
        return self.at_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock.now_ms, failures_max=3, pause_min_ms=1_000, pause_max_ms=1_000)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.note_failure("no answer")


def test_a_few_failures_change_nothing(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert breaker.status().circuit is Circuit.CLOSED
    assert breaker.refusal() == breaker.entry_refusal() == breaker.order_refusal() == ""


def test_failures_in_a_row_open_the_circuit_with_its_reason_and_its_end(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    status = breaker.status()
    assert (status.circuit, status.why, status.until_ms) == (Circuit.OPEN, "no answer", clock.at_ms + 1_000)
    assert "1.0 s" in breaker.refusal()


def test_an_answer_in_between_begins_the_row_anew(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.note_answer()
    fail(breaker, 2)
    assert breaker.status().circuit is Circuit.CLOSED


def test_after_the_pause_one_finds_out_and_the_others_wait(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.at_ms += 1_000
    assert breaker.status().circuit is Circuit.HALF_OPEN
    assert breaker.entry_refusal() != ""
    assert breaker.refusal() == ""
    assert breaker.refusal() != ""
    breaker.note_answer()
    assert breaker.status().circuit is Circuit.CLOSED
    assert breaker.refusal() == breaker.entry_refusal() == ""


def test_a_probe_that_was_lost_does_not_keep_the_circuit_open_for_ever(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.at_ms += 1_000
    assert breaker.refusal() == ""
    clock.at_ms += 1_000
    assert breaker.refusal() == ""


def test_the_pause_between_probes_is_short_however_long_the_outage_and_not_the_same_for_everybody(
    clock: Clock,
) -> None:
    breaker, pauses = Breaker(clock.now_ms), []
    fail(breaker, 4)
    for _ in range(200):
        fail(breaker, 1)
        until_ms = breaker.status().until_ms
        assert until_ms is not None
        pauses.append(until_ms - clock.at_ms)
        clock.at_ms = until_ms
        assert breaker.refusal() == ""
    assert PROBE_PAUSE_MIN_MS <= min(pauses) < max(pauses) <= PROBE_PAUSE_MAX_MS
    assert len(set(pauses)) > 50


def test_a_sign_of_life_ends_the_pause_and_no_wait_that_the_exchange_asked_for(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    assert breaker.refusal() != ""
    assert breaker.end_pause()
    assert breaker.refusal() == ""
    assert breaker.end_pause(), "a probe that hangs is overtaken"
    assert breaker.refusal() == ""
    for ask_for_quiet in (
        partial(breaker.keep_quiet, 60_000, "banned"),
        partial(breaker.note_failure, "away", pause_ms=60_000),
    ):
        ask_for_quiet()
        assert not breaker.end_pause()
        assert breaker.refusal() != ""
        clock.at_ms += 60_000
        breaker.note_answer()
    assert not breaker.end_pause()


def test_a_wait_that_is_asked_for_during_an_outage_is_kept(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    breaker.note_failure("maintenance", pause_ms=90_000)
    assert breaker.status().until_ms == clock.at_ms + 90_000
    breaker.note_failure("maintenance", pause_ms=30_000)
    assert breaker.status().until_ms == clock.at_ms + 90_000
    breaker.keep_quiet(10_000, "slower")
    assert breaker.status().until_ms == clock.at_ms + 90_000
    assert breaker.order_refusal() != ""


def test_opening_and_closing_are_told_once_each(breaker: Breaker, clock: Clock) -> None:
    told: list[str] = []
    breaker.when_opened(lambda: told.append("opened"))
    breaker.when_closed(lambda: told.append("closed"))
    breaker.note_answer()
    fail(breaker, 2)
    assert told == []
    fail(breaker, 3)
    clock.at_ms += 1_000
    fail(breaker, 1)
    assert told == ["opened"]
    breaker.note_answer()
    breaker.note_answer()
    assert told == ["opened", "closed"]
    breaker.keep_quiet(1_000, "slower")
    breaker.note_answer()
    assert told == ["opened", "closed", "opened"]
    clock.at_ms += 1_000
    breaker.note_answer()
    assert told == ["opened", "closed"] * 2


def test_exits_and_cancels_go_out_unless_the_exchange_itself_asked_for_quiet(breaker: Breaker) -> None:
    fail(breaker, 3)
    assert breaker.order_refusal() == ""
    breaker.keep_quiet(60_000, "banned")
    assert "banned" in breaker.order_refusal()


def test_quiet_lasts_as_long_as_it_was_asked_for(breaker: Breaker, clock: Clock) -> None:
    assert breaker.wait_ms() == 0
    breaker.keep_quiet(60_000, "banned")
    breaker.keep_quiet(5_000, "slower")
    assert breaker.wait_ms() == 60_000
    breaker.note_answer()  # to a request that left before
    clock.at_ms += 59_999
    assert breaker.status().circuit is Circuit.OPEN
    clock.at_ms += 1
    assert breaker.status().circuit is Circuit.HALF_OPEN
    assert breaker.order_refusal() == ""


def test_maintenance_needs_no_row_of_failures(breaker: Breaker) -> None:
    breaker.note_failure("maintenance", is_grave=True)
    assert breaker.status().circuit is Circuit.OPEN


def test_an_exchange_that_says_when_it_is_back_is_left_alone_until_then(
    breaker: Breaker, clock: Clock
) -> None:
    breaker.note_failure("maintenance", pause_ms=90_000)
    status = breaker.status()
    assert (status.circuit, status.until_ms, status.is_ordered) == (Circuit.OPEN, clock.at_ms + 90_000, False)
    assert breaker.order_refusal() == ""
