"""The exploration as it is asked for: the search that fits the bounds, and the shortest way to what it found."""

from dirigent.proofs.exploration import modular, search
from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.findings import Findings, Progress

_CONCRETE_MAX = 300_000


def explore(bounds: Bounds, progress: Progress | None = None) -> Findings:
    """One deal is searched state by state, several by views.

    A breach in a view is searched for again among joint states, for a way that can be played; where none is found
    within reason the findings keep the way through the views.
    """
    if bounds.intents == 1:
        return search.explore(bounds, progress=progress)
    findings = modular.search(bounds, progress)
    if findings.breach is None:
        return findings
    concrete = search.explore(bounds, _CONCRETE_MAX, progress)
    return findings if concrete.breach is None else concrete
