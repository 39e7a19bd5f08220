"""A slice of the deaths of the real process: no order lost, none sent twice, both books agree."""

import secrets
from pathlib import Path

from dirigent.proofs.death.boundaries import BOUNDARIES
from dirigent.proofs.death.copies import copy_without_log
from dirigent.proofs.death.killing import AT_WORK, kill_at_boundaries, kill_at_random
from dirigent.proofs.death.power import cut_the_power
from dirigent.proofs.death.remains import NEVER_ARRIVED
from dirigent.proofs.death.rivals import start_two_at_once

KILLS = 5


def fresh_seed() -> int:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    return seed


def silent(_: int) -> None:
    pass


def test_random_kills_lose_no_order_and_send_none_twice(tmp_path: Path) -> None:
    toll = kill_at_random(tmp_path, KILLS, fresh_seed(), silent)
    assert toll.wrong == []
    assert toll.total == KILLS
    assert toll.orders > 0 or not toll.kills[AT_WORK]


def test_a_death_at_each_boundary_loses_no_order_and_sends_none_twice(tmp_path: Path) -> None:
    toll = kill_at_boundaries(tmp_path, fresh_seed(), silent)
    assert toll.wrong == []
    assert set(toll.kills) == set(BOUNDARIES)
    assert toll.on_orders_in_flight >= 3
    assert toll.found[NEVER_ARRIVED] > 0
    assert toll.found.total() > toll.found[NEVER_ARRIVED]


def test_a_log_cut_after_its_last_sync_has_every_order_that_left(tmp_path: Path) -> None:
    report = cut_the_power(tmp_path, 1, 6, fresh_seed())
    assert report.wrong == []
    assert report.tail_bytes_max > 0


def test_of_two_daemons_at_the_same_moment_one_trades_and_one_is_refused(tmp_path: Path) -> None:
    report = start_two_at_once(tmp_path, 2, fresh_seed())
    assert report.wrong == []
    assert report.refused_with == [2, 2]


def test_a_database_without_its_log_is_refused_and_goes_on_with_it(tmp_path: Path) -> None:
    report = copy_without_log(tmp_path, fresh_seed())
    assert report.wrong == []
    assert report.refused == report.copies
    assert report.orders_lost > 0
