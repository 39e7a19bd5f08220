"""Configurations of a daemon under test that trades on a rehearsal exchange beside it."""

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.rehearsed.beside import Beside


def restless_on(beside: Beside, mode: str = "paper", *, keys: bool = False) -> str:
    """Deals all the time, on the prices of the rehearsal exchange."""
    symbols = beside.server.settings.symbols
    return beside.configuration(mode, keys=keys) + restless(Market(latency_ms_max=10), symbols)
