"""A slice of the deaths on the real path: ccxt, HTTP and websockets, an exchange with faults, SIGKILL."""

import secrets
from pathlib import Path

from dirigent.proofs.rehearsed.configurations import SYMBOLS
from dirigent.proofs.rehearsed.killing import AT_EASE, MOMENTS, kill_at_random
from dirigent.proofs.rehearsed.moments import ORDER_TAKEN
from dirigent.rehearsal.chaos import Chaos

KILLS = 4
FEW = SYMBOLS[:6]
HURRIED = "tests.live.hurried"
SENDS_BEFORE_COMMIT = "tests.proofs.death.sends_before_commit"
ROUNDS = 4
"""A slow machine may have written the intent down by the time the exchange has the order."""
SOON = tuple(moment for moment in MOMENTS if moment != AT_EASE)


def silent(_: int) -> None:
    pass


def test_deaths_on_the_real_path_lose_no_order_and_send_none_twice(tmp_path: Path) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    toll = kill_at_random(tmp_path, KILLS, seed, silent, symbols=FEW, moments=SOON, module=HURRIED)
    assert toll.wrong == []
    assert toll.total == KILLS


def test_an_engine_that_sends_before_it_commits_is_found_out_on_the_wire(tmp_path: Path) -> None:
    wrong: list[str] = []
    for number in range(ROUNDS):
        place = tmp_path / str(number)
        place.mkdir()
        toll = kill_at_random(
            place,
            1,
            20240503 + number,
            silent,
            chaos=Chaos(),
            symbols=FEW,
            moments=(ORDER_TAKEN,),
            module=SENDS_BEFORE_COMMIT,
        )
        wrong += toll.wrong
        if any("is at the exchange and not in the store" in one for one in wrong):
            return
    raise AssertionError(wrong)
