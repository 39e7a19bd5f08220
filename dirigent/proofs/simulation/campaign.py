"""Many histories, one after the other, and what they add up to."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any

from dirigent.proofs.simulation.faults import AS_DRAWN, PROBABILITIES, FaultPlan
from dirigent.proofs.simulation.history import Result, run_history
from dirigent.proofs.simulation.observer import RowName, rows_of_interest
from dirigent.proofs.simulation.scratch import Scratch

FAILURES_KEPT = 20


@dataclass(slots=True)
class Totals:
    """The sums over all histories so far. `failures` keeps the first few that violated something."""

    operations_each: int
    histories: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    rows_taken: set[RowName] = field(default_factory=set)
    transitions: int = 0
    anomalies: int = 0
    deaths: int = 0
    virtual_s: float = 0.0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    violated: int = 0
    failures: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.histories += 1
        self.operations += result.operations
        self.faults += result.faults
        self.rows_taken |= result.rows_taken
        self.transitions += result.transitions
        self.anomalies += result.anomalies
        self.deaths += result.deaths
        self.virtual_s += result.virtual_s
        if result.violations:
            self.violated += 1
            if len(self.failures) < FAILURES_KEPT:
                self.failures.append(result)

    @property
    def operations_total(self) -> int:
        return sum(self.operations.values())

    @property
    def rows_never_taken(self) -> list[str]:
        """In words: machine, number, move and guards."""
        never = []
        for (machine, number), row in rows_of_interest().items():
            if (machine, number) not in self.rows_taken:
                guards = f" [{' and '.join(row.guards)}]" if row.guards else ""
                never.append(f"{machine} {number}: {row.source} + {row.event} -> {row.target}{guards}")
        return never

    @property
    def kinds_never_injected(self) -> list[str]:
        return [kind for kind in PROBABILITIES if not self.faults[kind]]

    def document(self) -> dict[str, Any]:
        """Everything for people and programs."""
        rows = rows_of_interest()
        return {
            "seeds": self.histories,
            "operations": self.operations_total,
            "operations_by_kind": dict(sorted(self.operations.items())),
            "operations_a_second": round(self.operations_total / self.elapsed_s) if self.elapsed_s else None,
            "elapsed_s": round(self.elapsed_s, 3),
            "cpu_s": round(self.cpu_s, 3),
            "simulated_hours": round(self.virtual_s / 3600, 2),
            "transitions": self.transitions,
            "anomalies": self.anomalies,
            "deaths": self.deaths,
            "faults": sum(self.faults.values()),
            "faults_by_kind": dict(sorted(self.faults.items())),
            "faults_never_injected": self.kinds_never_injected,
            "rows": len(rows),
            "rows_taken": len(rows.keys() & self.rows_taken),
            "rows_never_taken": self.rows_never_taken,
            "seeds_violated": self.violated,
            "violations": [{"seed": each.seed, "violations": each.violations} for each in self.failures],
        }


def run_campaign(
    seeds: Iterable[int],
    operations: int,
    *,
    plan: FaultPlan = AS_DRAWN,
    after_each: Callable[[Totals], bool] = lambda _: True,
) -> Totals:
    """Goes on to the next seed as long as `after_each` says so."""
    totals = Totals(operations)
    started_s, started_cpu_s = perf_counter(), process_time()
    with Scratch() as scratch:
        for seed in seeds:
            totals.add(run_history(seed, operations, scratch, plan=plan))
            totals.elapsed_s, totals.cpu_s = perf_counter() - started_s, process_time() - started_cpu_s
            if not after_each(totals):
                break
    return totals
