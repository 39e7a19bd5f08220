"""The heartbeat carries the answers to `why`, and no question that cannot be answered ends it."""

from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dirigent.heartbeat import Heartbeat, _turn_of
from fsm.values import Verdict
from services.reconciliation.reconciler import Reconciler
from services.risk_management import Proposal
from tests.scenarios.stage import Stage
from tests.scenarios.terms import SYMBOL, Terms


def heart_of(stage: Stage) -> Heartbeat:
    reconciler = Reconciler(stage.engine.orchestrator, stage.exchange, stage._store)
    return Heartbeat(stage.engine, stage.clock, "paper", "paper", stage.clock.now_ms(), reconciler=reconciler)


async def test_a_beat_carries_verdicts_and_new_refusals_and_the_last_beat_all_of_them(tmp_path: Path) -> None:
    async with Stage(Terms(), tmp_path) as stage:
        heart = heart_of(stage)
        await stage.start(Decimal(100))
        stage.engine.state.refusals.note(SYMBOL, "max_spread", "wide", stage.clock.now_ms())
        first, second, last = heart.beat(), heart.beat(), heart.beat(everything=True)
        assert [one.guard for one in first.refusals] == [one.guard for one in last.refusals] == ["max_spread"]
        assert second.refusals == []
        assert [one.symbol for one in first.assessments] == [SYMBOL]
        stage.engine.state.save_progress(last)
        assert stage.engine.state.store_fault == ""


@given(st.integers(0, 120), st.integers(1, 30))
def test_every_symbol_has_its_turn(count: int, size: int) -> None:
    symbols, begin, seen = [str(number) for number in range(count)], 0, []
    for _ in range(-(-count // size)):
        begin, turn = _turn_of(symbols, begin, size)
        assert len(turn) == len(set(turn)) == min(size, count)
        seen += turn
    assert set(seen) == set(symbols)


async def test_a_check_that_raises_while_people_ask_costs_only_the_answer(tmp_path: Path) -> None:
    def broken(proposal: Proposal) -> Verdict:
        raise ZeroDivisionError(proposal.rules.symbol)

    async with Stage(Terms(), tmp_path) as stage:
        heart = heart_of(stage)
        await stage.start(Decimal(100))
        stage.engine.risk.checks.append(broken)
        beat = heart.beat()
        assert beat.assessments == []
        assert [feed[0] for feed in beat.feeds] == [SYMBOL]
