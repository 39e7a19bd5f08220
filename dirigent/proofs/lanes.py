"""Accounts that live and die side by side: deaths are mostly waits, and share a machine well."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

LANES = 2

_Toll = TypeVar("_Toll")
LiveAndDie = Callable[[Path, int, int, Callable[[int], None]], _Toll]
"""Of a folder, how many deaths, a seed, and who is told how many there were."""


def killed_in_lanes(
    parent: Path, kills: int, seed: int, told: Callable[[str], None], live_and_die: LiveAndDie[_Toll]
) -> list[_Toll]:
    """What became of each lane. `kills` are split between them; each lane has a folder and a seed of its own."""
    done = [0] * LANES

    def live(lane: int) -> _Toll:
        def count(number: int) -> None:
            done[lane] = number
            told(f"{sum(done)} of {kills} kills")

        share = kills // LANES + (lane < kills % LANES)
        return live_and_die(new_folder(parent, f"lane{lane}"), share, seed * LANES + lane, count)

    with ThreadPoolExecutor(LANES) as lanes:
        return list(lanes.map(live, range(min(LANES, kills))))


def new_folder(parent: Path, name: str) -> Path:
    """Raises FileExistsError when it is there."""
    folder = parent / name
    folder.mkdir()
    return folder
