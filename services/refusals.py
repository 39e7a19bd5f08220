"""RefusalMemory: how often which guard kept which pair from entering, deduplicated and bounded."""

from collections.abc import Iterable

from fsm.engine import Step
from fsm.pair import BUY_SIGNALLED, ENTRY_CONSIDERED, PAIR
from fsm.refusals import NO_ENTRY_IN_FLIGHT, Refusal, refusing

_ENTRY_EVENTS = frozenset({BUY_SIGNALLED, ENTRY_CONSIDERED})


class RefusalMemory:
    """One record a pair and guard; there are as many guards as the tables and the risk checks name.

    A tick pays for it only when it was refused. What was counted since the last `take_changed` is saved with the
    next heartbeat, and a start takes it back by `restore`.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Refusal] = {}

    def note(self, symbol: str, guard: str, because: str, at_ms: int) -> None:
        key = (symbol, guard)
        refusal = self._kept.get(key)
        if refusal is None:
            refusal = self._kept[key] = Refusal(symbol, guard, because, at_ms, at_ms)
        refusal.add(because, at_ms)

    def note_steps(self, symbol: str, steps: Iterable[Step], at_ms: int) -> None:
        """Counts what these steps of one turn refused the pair's entry with."""
        for step in steps:
            refused = refused_entry(step)
            if refused is not None:
                self.note(symbol, refused[0], refused[1], at_ms)

    def all(self) -> list[Refusal]:
        return list(self._kept.values())

    def take_changed(self) -> list[Refusal]:
        changed = [refusal for refusal in self._kept.values() if refusal.is_changed]
        for refusal in changed:
            refusal.is_changed = False
        return changed

    def restore(self, kept: Iterable[Refusal]) -> None:
        self._kept = {(refusal.symbol, refusal.guard): refusal for refusal in kept}


def refused_entry(step: Step) -> tuple[str, str] | None:
    """What this step of a pair refused an entry with, in words; None when it is no step of an entry, or went on."""
    if step.event not in _ENTRY_EVENTS or step.table is not PAIR:
        return None
    if step.row is None and not step.verdicts:
        return NO_ENTRY_IN_FLIGHT, step.because
    return refusing(step.verdicts)
