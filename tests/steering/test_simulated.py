"""Commands in the simulation: among deaths, lost power and full disks each is carried out once, or it is found out."""

from collections.abc import Iterator

import pytest

from dirigent.proofs.simulation.history import run_history
from dirigent.proofs.simulation.scratch import Scratch
from dirigent.proofs.simulation.terms import draw_terms
from dirigent.steering.plans import Plan
from dirigent.steering.steering import Steering, _answered
from fsm.commit import CommitBatch
from persistence.commands import Command
from services.turns.turn import Turn

COMMANDED = [seed for seed in range(600) if draw_terms(seed).commands_every_s is not None]


@pytest.fixture(scope="module")
def scratch() -> Iterator[Scratch]:
    with Scratch() as made:
        yield made


def found(scratch: Scratch) -> list[str]:
    """The first violations within some histories under command."""
    for seed in COMMANDED:
        result = run_history(seed, 150, scratch)
        if result.violations:
            return result.violations
    return []


def test_histories_under_command_violate_nothing(scratch: Scratch) -> None:
    commands = 0
    for seed in COMMANDED[:6]:
        result = run_history(seed, 150, scratch)
        assert result.violations == [], seed
        commands += result.operations["command"]
    assert commands > 20


def test_an_answer_in_a_transaction_of_its_own_is_found_out(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def torn(self: Steering, command: Command, plan: Plan) -> bool:
        results = []
        act = self.orchestrator
        if not await act.transact(plan.symbol, lambda turn: results.append(plan.work(turn)), urgent=True):
            return False

        def answer(turn: Turn) -> None:
            turn.commands.append(_answered(command, results[0], turn.now_ms))

        return await act.transact(plan.symbol, answer, urgent=True)

    monkeypatch.setattr(Steering, "_commit", torn)
    assert any("was done 2 times" in violation for violation in found(scratch))


def test_an_answer_that_was_seen_and_is_not_on_disk_is_found_out(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    must = vars(CommitBatch)["must_be_on_disk"].fget

    def without_commands(batch: CommitBatch) -> bool:
        return bool(must(CommitBatch(outbox=batch.outbox, journal=batch.journal)))

    monkeypatch.setattr(CommitBatch, "must_be_on_disk", property(without_commands))
    assert any("its answer was taken back" in violation for violation in found(scratch))
