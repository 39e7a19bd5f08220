"""The whole engine against faults: nothing is violated, one seed is one history, and a wrong engine is found out."""

import secrets
from collections import Counter
from collections.abc import Iterator
from time import perf_counter

import pytest
from click.testing import CliRunner

from dirigent.command_line import main
from dirigent.proofs.simulation.campaign import run_campaign
from dirigent.proofs.simulation.faults import FaultPlan
from dirigent.proofs.simulation.history import Result, run_history
from dirigent.proofs.simulation.observer import rows_of_interest
from dirigent.proofs.simulation.scratch import Scratch
from dirigent.proofs.simulation.shrinking import fewest_operations, shrink
from tests.fresh_process import printed_for_hash_seeds
from tests.proofs.simulation.mutations import MUTATIONS, Mutation, takes_a_time_out_for_a_refusal

SLICE_S = 12
SEEDS_UNTIL_CAUGHT_MAX = 250

_PRINT_HEADS = """
from dirigent.proofs.simulation.history import run_history
from dirigent.proofs.simulation.scratch import Scratch
with Scratch() as scratch:
    print(*(run_history(seed, 120, scratch).head for seed in (3, 4)))
"""


@pytest.fixture(scope="module")
def scratch() -> Iterator[Scratch]:
    with Scratch() as made:
        yield made


def test_fresh_seeds_violate_nothing() -> None:
    first, started_s = secrets.randbelow(10**9), perf_counter()
    print(f"simulated from seed {first}, 200 operations each")
    totals = run_campaign(
        range(first, first + 10_000), 200, after_each=lambda _: perf_counter() - started_s < SLICE_S
    )
    print(f"{totals.histories} seeds, {totals.operations_total} operations, {totals.deaths} deaths")
    assert [(each.seed, each.violations) for each in totals.failures] == []
    assert totals.operations_total >= 200 * totals.histories


SEEDS_THAT_FOUND_SOMETHING = {
    3007: "a dead-believed entry that came alive in part was not cancelled",
    3905: "the late end of a replaced entry ended the one that replaced it",
    679741583: "what an exchange did after its own window was judged before the books were compared",
    30001443: "a death on its way when the faults ended came after the exits were ordered, and before they were kept",
}


@pytest.mark.parametrize("seed", SEEDS_THAT_FOUND_SOMETHING)
def test_what_a_seed_once_found_stays_mended(seed: int, scratch: Scratch) -> None:
    assert run_history(seed, 100, scratch).violations == []


def test_one_seed_is_one_history(scratch: Scratch) -> None:
    first, second = (run_history(11, 150, scratch, telling=True) for _ in range(2))
    assert first.transitions > 20
    assert first.story == second.story
    assert first.head == second.head
    assert run_history(12, 150, scratch).head != first.head


def test_telling_a_story_does_not_change_it(scratch: Scratch) -> None:
    assert run_history(13, 150, scratch, telling=True).head == run_history(13, 150, scratch).head


def test_a_history_does_not_depend_on_the_order_of_sets() -> None:
    assert len(printed_for_hash_seeds(_PRINT_HEADS, "1", "2")) == 1


def test_nearly_every_kind_of_fault_is_injected_and_most_rows_are_taken() -> None:
    totals = run_campaign(range(20_000, 20_040), 250)
    assert len(totals.kinds_never_injected) <= 3
    assert len(totals.rows_taken & rows_of_interest().keys()) > 80
    assert len(totals.rows_never_taken) == len(rows_of_interest()) - len(
        totals.rows_taken & rows_of_interest().keys()
    )
    assert totals.violated == 0


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_wrong_engine_is_found_out(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    totals = run_campaign(
        range(1, 1 + SEEDS_UNTIL_CAUGHT_MAX),
        200,
        plan=FaultPlan(chances=MUTATIONS[mutation]),
        after_each=lambda so_far: not so_far.violated,
    )
    assert totals.violated == 1
    assert totals.failures[0].violations


def test_a_failing_history_shrinks_and_its_command_repeats_it(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes_a_time_out_for_a_refusal(monkeypatch)
    found = run_campaign(range(1, 100), 150, after_each=lambda so_far: not so_far.violated).failures[0]
    shrunk = shrink(found.seed, 150, scratch)
    assert shrunk is not None
    assert shrunk.operations <= 150
    assert shrunk.without
    assert any("VIOLATION" in line for line in shrunk.result.story)
    repeated = CliRunner().invoke(main, shrunk.command.split()[1:])
    assert repeated.exit_code == 1
    assert shrunk.result.violations[0] in repeated.output


def test_halving_finds_the_first_operation_that_matters() -> None:
    assert fewest_operations(100, lambda count: count >= 37) == 37


def test_what_violates_nothing_does_not_shrink(scratch: Scratch) -> None:
    def calm(seed: int, *_: object, **__: object) -> Result:
        return Result(seed, [], Counter(), Counter(), set(), "", 0, 0, 0, 0.0)

    assert shrink(1, 100, scratch, run=calm) is None


def test_the_command_reports_seeds_faults_and_rows() -> None:
    answered = CliRunner().invoke(main, ["simulate", "--seeds", "2", "--seed", "7", "--ops", "60"])
    assert answered.exit_code == 0, answered.output
    assert "seeds 7 to 8" in answered.output
    assert "rows_never_taken" in answered.output


def test_the_command_names_the_fault_that_it_does_not_know() -> None:
    answered = CliRunner().invoke(main, ["simulate", "--without", "lightning"])
    assert answered.exit_code == 2
    assert "lightning" in answered.output
