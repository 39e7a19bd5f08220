"""Runs a turn: each event through its table, each effect through its service, until nothing is raised any more."""

from collections.abc import Mapping

from loguru import logger

from fsm.commit import JournalEntry
from fsm.engine import Outcome, Step
from fsm.permission import QUARANTINED
from fsm.records import Record, changes_between
from fsm.table import DEADLINE_PASSED
from fsm.values import Verdict
from services.turns.bindings import BoundMachine
from services.turns.turn import Happening, Turn

_MAX_STEPS = 200
"""More events than any honest event leads to; beyond it two tables are calling each other in a circle."""


class TurnRunner:
    """Stateless: everything it knows of a turn is in the turn."""

    def __init__(self, machines: Mapping[str, BoundMachine]) -> None:
        self.machines = machines

    def run(self, turn: Turn) -> list[Step]:
        """Empties the turn's queue. Returns the steps in their order; raises RuntimeError on an endless circle."""
        steps = []
        most = _MAX_STEPS * len(turn.queue)
        while turn.queue:
            steps.append(self._step(turn, turn.queue.popleft()))
            if len(steps) > most:
                raise RuntimeError(f"a turn of {turn.symbol} raised more than {most} events")
        return steps

    def _step(self, turn: Turn, happening: Happening) -> Step:
        before = turn.subject(happening.machine, happening.subject_id)
        if before is None:
            raise LookupError(f"{happening.event} for an unknown {happening.machine} {happening.subject_id}")
        bound = self.machines[happening.machine]
        draft = before.copy()
        if happening.update is not None:
            happening.update(draft)

        def ask(guard: str) -> Verdict:
            return bound.guards[guard](turn, draft)

        step = bound.engine.step(draft.state, happening.event, ask)
        if step.outcome is Outcome.MOVED:
            self._move(turn, bound, step, happening, before, draft)
        else:
            self._stay(turn, step, happening, before)
        return step

    def _move(
        self, turn: Turn, bound: BoundMachine, step: Step, happening: Happening, before: Record, draft: Record
    ) -> None:
        draft.state = step.target
        draft.version += 1
        turn.stage(draft, before)
        otherwise = step.row is not None and step.row.otherwise
        turn.because = step.refusals if otherwise else ""
        for effect in step.effects:
            bound.effects[effect](turn, draft, happening)
        if step.target != step.source or step.event == DEADLINE_PASSED:
            due = bound.due[step.target]
            draft.due_at_ms = due(turn, draft) if due else None
        born = before if before.version else None
        changes = changes_between(born, draft)
        turn.journal.append(_entry(turn, step, before, draft.version, changes, note=happening.note))

    def _stay(self, turn: Turn, step: Step, happening: Happening, before: Record) -> None:
        """Refused signals and anomalies are journaled too; an anomaly takes the pair's permission to enter."""
        lost = step.outcome is Outcome.IGNORED and bool(happening.fills)
        if step.outcome is Outcome.ANOMALY or lost:
            note = "a fill of an order that was filled already" if lost else step.because
            turn.journal.append(_entry(turn, step, before, before.version, {}, Outcome.ANOMALY, note))
            note_anomaly(turn, before, step.event, note)
        elif step.outcome is Outcome.REFUSED and before.machine == "pair" and turn.signal is not None:
            turn.journal.append(_entry(turn, step, before, before.version, {}, Outcome.REFUSED, step.because))


def note_anomaly(turn: Turn, subject: Record, happened: str, note: str) -> None:
    """Logs and counts it, and takes the pair's permission to enter."""
    logger.bind(
        event="anomaly", machine=subject.machine, subject=subject.subject_id, happened=happened
    ).warning("anomaly")
    turn.anomalies += 1
    if subject.machine != "permission":
        quarantine(turn, f"{subject.machine} {subject.subject_id}: {note}")


def quarantine(turn: Turn, reason: str) -> None:
    def update(record: Record) -> None:
        record.reason = reason

    turn.raise_event("permission", turn.symbol, QUARANTINED, update)


def rearm_deadline(machines: Mapping[str, BoundMachine], turn: Turn, record: Record, _: Happening) -> None:
    """The effect of that name: the state's deadline counts from now."""
    due = machines[record.machine].due[record.state]
    record.due_at_ms = due(turn, record) if due else None


def _entry(
    turn: Turn,
    step: Step,
    before: Record,
    version: int,
    changes: Mapping[str, object],
    outcome: Outcome = Outcome.MOVED,
    note: str = "",
) -> JournalEntry:
    return JournalEntry(
        turn.now_ms,
        before.machine,
        before.subject_id,
        version,
        step.event,
        step.source,
        step.target,
        outcome,
        step.verdicts,
        changes,
        step.table.hash,
        note,
    )
