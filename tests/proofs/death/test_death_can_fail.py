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


def test_an_engine_that_sends_before_it_commits_is_found_out(tmp_path: Path) -> None:
    toll = kill_at_random(tmp_path, 5, 20240503, lambda _: None, SENDS_BEFORE_COMMIT)
    assert any("is at the exchange and not in the store" in one for one in toll.wrong) or any(
        "times in the exchange's book" in one for one in toll.wrong
    ), toll.wrong


def test_a_log_cut_before_its_last_sync_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    place = Place.make(tmp_path / "engine", restless(Market()))
    die_with_a_tail(place, tmp_path / "synced", Random(1))
    found = read_after_cut(copy_place(place, tmp_path / "cut"), HEADER_SIZE)
    assert any("is not here" in one or "is not in the store" in one for one in found), found
