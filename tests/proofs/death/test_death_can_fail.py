"""The proofs by death find out an engine, or a disk, that breaks the promise."""

from pathlib import Path
from random import Random

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Place
from dirigent.proofs.death.killing import kill_at_random
from dirigent.proofs.death.power import die_with_a_tail, read_after_cut
from dirigent.proofs.death.remains import copy_place
from dirigent.proofs.death.wal import HEADER_SIZE

SENDS_BEFORE_COMMIT = "tests.proofs.death.sends_before_commit"


SYMPTOMS = ("is at the exchange and not in the store", "times in the exchange's book", "order_unbooked")
"""An order that the engine knows nothing of, as the books, the exchange or reconciliation tell it."""
ROUNDS = 3
"""When the kills fall is the machine's to say: a round may kill at harmless moments only."""


def test_an_engine_that_sends_before_it_commits_is_found_out(tmp_path: Path) -> None:
    wrong: list[str] = []
    for number in range(ROUNDS):
        place = tmp_path / str(number)
        place.mkdir()
        wrong += kill_at_random(place, 5, 20240503 + number, lambda _: None, SENDS_BEFORE_COMMIT).wrong
        if any(symptom in one for one in wrong for symptom in SYMPTOMS):
            return
    raise AssertionError(wrong)


def test_a_log_cut_before_its_last_sync_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    place = Place.make(tmp_path / "engine", restless(Market()))
    die_with_a_tail(place, tmp_path / "synced", Random(1))
    found = read_after_cut(copy_place(place, tmp_path / "cut"), HEADER_SIZE)
    assert any("is not here" in one or "is not in the store" in one for one in found), found
