"""A slice of the soak on the real path: orders and books under faults, and what is held before and after them."""

import secrets
from pathlib import Path

from dirigent.proofs.rehearsed.configurations import ONE_IN_TWENTY, SYMBOLS
from dirigent.proofs.rehearsed.soaking import POOLED_SOCKETS, Holdings, soak
from dirigent.rehearsal.chaos import Chaos

SOAK_S = 8.0
ORDERS_MIN = 20
WITHOUT_WAITS = Chaos(**{**ONE_IN_TWENTY.model_dump(), "rate_limited": 0, "banned": 0})
"""A slice has no time to be told to wait."""


def test_under_faults_no_order_is_lost_and_afterwards_nothing_is_held_that_was_not_before(
    tmp_path: Path,
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    report = soak(tmp_path, SOAK_S, seed, lambda _: None, chaos=WITHOUT_WAITS, symbols=SYMBOLS[:8])
    assert report.wrong == []
    assert report.orders >= ORDERS_MIN
    assert report.fills > 0
    assert sum(report.faults.values()) > 0


def test_what_is_held_beyond_before_is_named() -> None:
    before = Holdings({"sockets": 3, "task keep": 1})
    assert Holdings({"sockets": 3, "task keep": 1}).beyond(before) == []
    assert Holdings({"sockets": 3 + POOLED_SOCKETS, "task keep": 1}).beyond(before) == []
    assert Holdings({"sockets": 4 + POOLED_SOCKETS, "task keep": 0, "task lost": 1}).beyond(before) == [
        f"leaked: sockets was 3 at most, and stays {4 + POOLED_SOCKETS}",
        "leaked: task lost was 0 at most, and stays 1",
    ]
