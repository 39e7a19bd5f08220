"""All proofs of death, one after the other, in a folder that goes away."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dirigent.proofs.death.copies import CopyReport, copy_without_log
from dirigent.proofs.death.killing import Toll, kill_at_boundaries, kill_at_random
from dirigent.proofs.death.power import PowerReport, cut_the_power
from dirigent.proofs.death.rivals import RivalryReport, start_two_at_once
from dirigent.proofs.lanes import killed_in_lanes, new_folder

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    kills: int = 200
    power_deaths: int = 4
    cuts: int = 25
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Campaign:
    random: list[Toll]
    boundaries: Toll
    power: PowerReport
    rivalry: RivalryReport
    copies: CopyReport

    @property
    def wrong(self) -> list[str]:
        found = [f"random: {one}" for toll in self.random for one in toll.wrong]
        found += [f"boundaries: {one}" for one in self.boundaries.wrong]
        found += [f"power: {one}" for one in self.power.wrong]
        found += [f"rivals: {one}" for one in self.rivalry.wrong]
        return found + [f"without log: {one}" for one in self.copies.wrong]

    def document(self) -> dict[str, Any]:
        tolls = [toll for toll in (*self.random, self.boundaries) if toll.total]
        seconds = max((toll.seconds for toll in self.random), default=0.0)
        kills = sum(toll.total for toll in self.random)
        return {
            "kills": sum(toll.total for toll in tolls),
            "random_kills_per_s": round(kills / seconds, 2) if seconds else 0,
            "on_orders_in_flight": sum(toll.on_orders_in_flight for toll in tolls),
            "orders_in_flight_found": _sum(tolls, "found"),
            "kills_by_moment": _sum(tolls, "kills"),
            "orders": sum(toll.orders for toll in tolls),
            "fills": sum(toll.fills for toll in tolls),
            "power": _figures(self.power),
            "rivals": _figures(self.rivalry),
            "without_log": _figures(self.copies),
            "wrong": self.wrong,
        }


def _sum(tolls: list[Toll], name: str) -> dict[str, int]:
    added: dict[str, int] = {}
    for toll in tolls:
        for key, count in getattr(toll, name).items():
            added[key] = added.get(key, 0) + count
    return added


def _figures(report: PowerReport | RivalryReport | CopyReport) -> dict[str, Any]:
    return {name: value for name, value in asdict(report).items() if name != "wrong"}


def run_campaign(sizes: Sizes, seed: int, told: Told) -> Campaign:
    """Raises DaemonFault when a process did what none may: end by itself, or not begin."""
    with TemporaryDirectory(prefix="dirigent-death-") as name:
        folder = Path(name)
        tolls = killed_in_lanes(folder, sizes.kills, seed, told, kill_at_random)
        told("each boundary")
        boundaries = kill_at_boundaries(new_folder(folder, "boundaries"), seed, lambda _: None)
        told("power")
        power = cut_the_power(folder / "power", sizes.power_deaths, sizes.cuts, seed)
        told("two daemons at once")
        rivalry = start_two_at_once(new_folder(folder, "rivals"), sizes.rounds, seed)
        told("copies without a log")
        copies = copy_without_log(folder / "copies", seed)
    return Campaign(tolls, boundaries, power, rivalry, copies)
