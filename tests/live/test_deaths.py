"""A slice of the deaths on the real path: ccxt, HTTP and websockets, an exchange with faults, SIGKILL."""

import secrets
from pathlib import Path

from dirigent.proofs.rehearsed.configurations import SYMBOLS
from dirigent.proofs.rehearsed.killing import AT_EASE, MOMENTS, kill_at_random

KILLS = 4
HURRIED = "tests.live.hurried"
SOON = tuple(moment for moment in MOMENTS if moment != AT_EASE)


def fresh_seed() -> int:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    return seed


def test_deaths_on_the_real_path_lose_no_order_and_send_none_twice(tmp_path: Path) -> None:
    toll = kill_at_random(
        tmp_path, KILLS, fresh_seed(), lambda _: None, symbols=SYMBOLS[:6], moments=SOON, module=HURRIED
    )
    assert toll.wrong == []
    assert toll.total == KILLS
