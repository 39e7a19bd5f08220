"""The exploration reaches its fixpoint, its two searches agree, and the command tells what it found."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dirigent.command_line import main
from dirigent.proofs.exploration import modular, search
from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.findings import Findings
from dirigent.proofs.exploration.levels import Levels
from dirigent.proofs.exploration.scenarios import Scenario, ScenarioError, play, read
from dirigent.proofs.exploration.venue import (
    CANCELED,
    OPEN,
    Snapshot,
    Truth,
    doings,
    may_be_missed,
    snapshots,
)
from dirigent.proofs.exploration.worlds import Exploration

SMALL = Bounds(intents=1, crashes=1, amount=1)
SMALLEST = Bounds(intents=1, crashes=0, amount=1, attempts=1)


def test_one_deal_keeps_every_claim_in_every_state_with_a_crash_at_any_boundary() -> None:
    findings = search.explore(SMALL)
    assert findings.breach is None
    assert findings.is_complete
    assert findings.cut == 0
    assert findings.worlds > 5_000
    assert findings.edges > 4 * findings.worlds
    assert ("order", "submitting", "engine_restarted", "unknown") in findings.rows_taken
    assert ("position", "ordering", "entry_ended", "abandoned") in findings.rows_taken


@pytest.fixture(scope="module")
def states() -> Findings:
    return search.explore(SMALLEST)


def test_states_and_views_of_one_deal_are_the_same(states: Findings) -> None:
    views = modular.search(SMALLEST)
    assert views.worlds == states.worlds > 1_000
    assert views.deals == states.deals
    assert views.breach is None


def test_the_same_bounds_find_the_same_states_each_time(states: Findings) -> None:
    assert replace(search.explore(SMALLEST), seconds=0) == replace(states, seconds=0)


def test_joint_states_of_two_deals_look_like_views_that_were_found() -> None:
    bounds = Bounds(intents=2, crashes=0, amount=1, attempts=1)
    exploration = Exploration(bounds)
    views = modular.Search(bounds, None)
    assert views.run().breach is None
    world, seen = exploration.start, 0
    for turn in range(400):
        for index, key in enumerate(world.deals):
            others = [exploration.moves.deals[k].summary for i, k in enumerate(world.deals) if i != index]
            assert modular.View(world.shared, key, tuple(sorted(others))) in views.numbers
            seen += len(world.deals) > 1
        steps = sorted({step.world for step in exploration.steps(world)}, key=repr)
        world = steps[(turn * 7919) % len(steps)]
    assert seen > 50


def test_an_order_fills_unit_by_unit_and_its_cancel_may_come_too_late() -> None:
    live = Truth(OPEN, filled=1, cancel_travels=True)
    after = dict(doings(live, 2))
    assert after["unit 2 of 2 fills"].phase == "closed"
    assert after["the cancellation arrives"] == Truth(CANCELED, filled=1)
    late = dict(doings(after["unit 2 of 2 fills"], 2))
    assert late["the cancellation arrives"].phase == "closed"


def test_everything_once_true_may_be_reported_later() -> None:
    ended = Truth(CANCELED, filled=1)
    said = snapshots(ended, end_overtakes=True)
    assert said == [Snapshot(OPEN, 0), Snapshot(OPEN, 1), Snapshot(CANCELED, 0), Snapshot(CANCELED, 1)]
    assert snapshots(ended, 1, end_overtakes=True) == [Snapshot(CANCELED, 1)]


def test_an_order_can_be_missed_only_by_a_question_as_old_as_its_request() -> None:
    assert may_be_missed(Truth("never arrived"), 0)
    assert may_be_missed(Truth(OPEN, age=1), 1)
    assert not may_be_missed(Truth(OPEN, age=1), 0)


def test_deals_that_differ_in_times_and_versions_alone_are_one() -> None:
    exploration = Exploration(SMALL)
    born = next(step for step in exploration.steps(exploration.start) if step.world.deals)
    deal = exploration.moves.deals[born.world.deals[0]]
    position = deal.position.copy()
    position.version, position.created_at_ms, position.reason = 7, 5, "other words"
    level = Levels().level
    assert level(position, deal.tickets).key == deal.key
    position.exit_reason = "force"
    assert level(position, deal.tickets).key != deal.key


def test_what_was_explored_before_changes_nothing() -> None:
    """Each exploration has positions of its own: how often an entry is tried is in them, and in the bounds."""
    rules = set()
    for attempts in (1, 2, 3):
        exploration = Exploration(Bounds(intents=1, crashes=0, amount=1, attempts=attempts))
        born = next(step for step in exploration.steps(exploration.start) if step.world.deals)
        rules.add(exploration.moves.deals[born.world.deals[0]].position.rules)
    assert len(rules) == 3


def test_the_command_reports_states_edges_and_the_fixpoint() -> None:
    result = CliRunner().invoke(
        main, ["explore", "--intents", "1", "--crashes", "0", "--units", "1", "--json"]
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["fixpoint"] is True
    assert document["breach"] is None
    assert document["states"] > 2_000
    assert document["bounds"]["crashes"] == 0


def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "breach.json"
    path.write_text('{"claim": "x"}', encoding="utf-8")
    result = CliRunner().invoke(main, ["explore", "--play", str(path)])
    assert result.exit_code == 2
    assert "not a scenario" in result.output


def test_a_scenario_is_played_step_by_step_and_an_impossible_step_is_named(tmp_path: Path) -> None:
    path = tmp_path / "way.json"
    Scenario(SMALL, "none", ("a buy signal", "e0001: its request leaves")).write(path)
    first, second = play(read(path))
    assert (first.pair, second.pair) == ("ordering", "ordering")
    assert "(unsent)" in first.deals[0]
    assert "(travelling)" in second.deals[0]
    with pytest.raises(ScenarioError, match="step 1, 'a miracle', cannot happen here"):
        list(play(Scenario(SMALL, "none", ("a miracle",))))
