"""What is counted for the metrics beyond what the engine counts anyway: in plain numbers, away from the ticks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from fsm.commit import JournalEntry
from fsm.engine import Outcome
from services.metrics import LatencyHistogram
from services.turns.bindings import TABLES

RowKey = tuple[str, str, str, tuple[bool, ...]]
"""Machine, source, event, and the guards' answers in the order in which they were asked: that names one row."""

_TABLES = {table.name: table for table in TABLES}
_SELECTORS = {table.name: table.selectors for table in TABLES}


@dataclass(slots=True)
class Instruments:
    """Counters of one run, from the moment in which they were put in."""

    moves: Counter[RowKey] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    commits: LatencyHistogram = field(default_factory=LatencyHistogram)
    commits_failed: int = 0
    requests: defaultdict[str, LatencyHistogram] = field(
        default_factory=lambda: defaultdict(LatencyHistogram)
    )
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    loop_lag: LatencyHistogram = field(default_factory=LatencyHistogram)
    scrape_s: float = 0.0

    def note_journal(self, entries: Sequence[JournalEntry]) -> None:
        for entry in entries:
            if entry.outcome == Outcome.MOVED:
                answers = tuple([verdict.holds for verdict in entry.verdicts])
                self.moves[entry.machine, entry.source, entry.event, answers] += 1
            if entry.machine == "pair":
                self._note_refusals(entry)

    def _note_refusals(self, entry: JournalEntry) -> None:
        """A signal is refused, or dropped by a row of the last resort; a guard that only chooses between rows refuses
        nothing."""
        for verdict in entry.verdicts:
            if not verdict.holds and verdict.guard not in _SELECTORS["pair"]:
                name = verdict.because.partition(":")[0]
                is_check = verdict.guard == "risk_allows_entry" and name.isidentifier()
                self.refusals[verdict.guard, name if is_check else ""] += 1


def row_number(key: RowKey) -> int:
    """Which row of its table was taken, counted from one as the drawings do.

    Raises LookupError when the table has none such.
    """
    machine, source, event, answers = key
    table = _TABLES[machine]
    known: dict[str, bool] = {}
    coming = iter(answers)
    for row in table.rows_of(source, event):
        for guard in row.guards:
            if guard not in known:
                known[guard] = next(coming, False)
            if not known[guard]:
                break
        else:
            return table.rows.index(row) + 1
    raise LookupError(f"table {machine} takes no row for {event} in {source} with these answers")
