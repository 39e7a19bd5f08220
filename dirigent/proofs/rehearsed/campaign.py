"""The proofs on the real path, one after the other, in a folder that goes away."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dirigent.proofs.lanes import killed_in_lanes, new_folder
from dirigent.proofs.rehearsed.killing import Toll, kill_at_random
from dirigent.proofs.rehearsed.ordering import OrdersReport, order_under_faults
from dirigent.proofs.rehearsed.soaking import SoakReport, soak

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """0 leaves a proof out."""

    kills: int = 50
    orders: int = 1_000
    soak_s: float = 720


@dataclass(slots=True)
class Campaign:
    tolls: list[Toll] = field(default_factory=list)
    orders: OrdersReport | None = None
    soak: SoakReport | None = None

    @property
    def wrong(self) -> list[str]:
        found = [f"kills: {one}" for toll in self.tolls for one in toll.wrong]
        found += [f"orders: {one}" for one in (self.orders.wrong if self.orders else ())]
        return found + [f"soak: {one}" for one in (self.soak.wrong if self.soak else ())]

    def document(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.tolls:
            told |= _kills_told(self.tolls)
        if self.orders is not None:
            told["under_faults"] = {
                "orders": self.orders.accepted,
                "trades": self.orders.fills,
                "decided": self.orders.decided,
                "seconds": round(self.orders.seconds),
                "faults": sum(self.orders.faults.values()),
            }
        if self.soak is not None:
            told["soak"] = _soak_told(self.soak)
        return {**told, "wrong": self.wrong}


def _kills_told(tolls: list[Toll]) -> dict[str, Any]:
    kills, found, faults = Counter[str](), Counter[str](), Counter[str]()
    for toll in tolls:
        kills.update(toll.kills)
        found.update(toll.found)
        faults.update(toll.faults)
    return {
        "kills": kills.total(),
        "seconds": round(max(toll.seconds for toll in tolls)),
        "kills_by_moment": dict(kills),
        "on_orders_in_flight": sum(toll.on_orders_in_flight for toll in tolls),
        "orders_in_flight_found": dict(found),
        "orders": sum(toll.orders for toll in tolls),
        "trades": sum(toll.fills for toll in tolls),
        "fees_in_coins": len({coin for toll in tolls for coin in toll.fees}),
        "faults": {str(name): count for name, count in sorted(faults.items())},
    }


def _soak_told(report: SoakReport) -> dict[str, Any]:
    return {
        "seconds": report.seconds,
        "symbols": report.symbols,
        "orders": report.orders,
        "trades": report.fills,
        "faults": sum(report.faults.values()),
        "memory_kb": report.memory_kb,
        "memory_blocks": report.blocks,
        "before": _sums(report.before.numbers) if report.before else {},
        "after": _sums(report.after.numbers) if report.after else {},
    }


def _sums(numbers: dict[str, int]) -> dict[str, int]:
    tasks = sum(count for name, count in numbers.items() if name.startswith("task "))
    return {"tasks": tasks, **{name: numbers[name] for name in ("sockets", "streams", "files")}}


def run_campaign(sizes: Sizes, seed: int, told: Told) -> Campaign:
    """Raises DaemonFault when a process did what none may: end by itself, hang, or not begin."""
    campaign = Campaign()
    with TemporaryDirectory(prefix="dirigent-rehearsed-") as name:
        folder = Path(name)
        if sizes.kills:
            campaign.tolls = killed_in_lanes(folder, sizes.kills, seed, told, kill_at_random)
        if sizes.orders:
            place = new_folder(folder, "orders")
            campaign.orders = order_under_faults(
                place, sizes.orders, seed, lambda count: told(f"{count} of {sizes.orders} orders")
            )
        if sizes.soak_s:
            campaign.soak = soak(new_folder(folder, "soak"), sizes.soak_s, seed, told)
    return campaign
