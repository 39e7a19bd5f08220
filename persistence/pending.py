"""What was committed and is not written yet: many batches merged into one, each row once."""

import time
from dataclasses import dataclass, field
from typing import Self

from fsm.commit import AnsweredCommand, CommitBatch, JournalEntry, OfferedSignal, OutboxRow
from fsm.records import Fill, Record

GROUP_COMMITS_MAX = 256
GROUP_AGE_S_MAX = 0.1


@dataclass(slots=True)
class Pending:
    """Batches in the order of their commits. Records are not copied: nobody changes them once handed in."""

    at_ms: int
    """The latest moment that the journal knows of."""
    records: dict[tuple[str, str], tuple[Record, int]] = field(default_factory=dict)
    """The last form of each, with the version that its row has in the database (0: it has none)."""
    journal: list[JournalEntry] = field(default_factory=list)
    fills: dict[tuple[str, str], Fill] = field(default_factory=dict)
    outbox: dict[str, OutboxRow] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    """When each request was done, by its id."""
    signals: dict[str, OfferedSignal] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    commands: list[AnsweredCommand] = field(default_factory=list)
    commits: int = 0
    _closes_at_s: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether it holds GROUP_COMMITS_MAX commits, or the first of them is GROUP_AGE_S_MAX old."""
        return self.commits >= GROUP_COMMITS_MAX or time.monotonic() >= self._closes_at_s

    @classmethod
    def alone(cls, batch: CommitBatch, at_ms: int) -> Self:
        """One batch, to be written at once; shares its records and its journal."""
        pending = cls(at_ms, batch.records, batch.journal)
        pending._take_what_is_new(batch)
        return pending

    def merge(self, batch: CommitBatch) -> None:
        if not self.commits:
            self._closes_at_s = time.monotonic() + GROUP_AGE_S_MAX
        self.commits += 1
        records = self.records
        for key, written in batch.records.items():
            known = records.get(key)
            records[key] = written if known is None else (written[0], known[1])
        self.journal += batch.journal
        self._take_what_is_new(batch)

    def _take_what_is_new(self, batch: CommitBatch) -> None:
        for entry in batch.journal:
            if entry.at_ms > self.at_ms:
                self.at_ms = entry.at_ms
        for fill in batch.fills:
            self.fills[fill.symbol, fill.id] = fill
        for row in batch.outbox:
            self.outbox[row.id] = row
        for done in batch.outbox_done:
            self.done.setdefault(done, self.at_ms)
        for signal in batch.signals:
            self.signals.setdefault(signal.id, signal)
        if batch.facts:
            self.facts.update(batch.facts)
        self.commands += batch.commands
