"""Whether a history has come to rest: nothing is open or under way, and everything has been answered."""

from dataclasses import dataclass

from dirigent.proofs.simulation.commander import Commander
from dirigent.proofs.simulation.exchange import SimulatedExchange
from dirigent.proofs.simulation.process import Process
from dirigent.proofs.simulation.stream import ReportStream
from fsm.pair import SIGNALLED
from fsm.position import CLOSING, ORDERING


@dataclass(slots=True)
class Rest:
    """Asked of the process that lives now, if one does."""

    exchange: SimulatedExchange
    stream: ReportStream
    commander: Commander | None
    calm_since_ms: int = 0
    """When the faults ended."""

    def is_reached(self, process: Process | None) -> bool:
        if process is None or not process.is_trading or process.loop.ready:
            return False
        if self.exchange.in_flight or self.stream.under_way or self.exchange.matching.open_orders():
            return False
        if self.commander is not None and len(self.commander.told) < len(self.commander.given):
            return False
        state = process.engine.state
        if state.working.orders or state.effects_under_way:
            return False
        if any(pair.state == SIGNALLED for pair in state.working.pairs.values()):
            return False
        if self.exchange.lied_about and not process.has_compared_since(self.calm_since_ms):
            return False  # what an exchange did after its own window only a comparison of the books finds
        return not any(p.state in (ORDERING, CLOSING) for p in state.working.positions.values())

    def what_is_open(self, process: Process | None) -> str:
        """For the verdict over a history that does not come to rest."""
        if process is None:
            return "no process"
        working = process.engine.state.working
        orders = [f"{o.client_order_id} {o.state}" for o in working.orders.values()]
        positions = [f"{p.id} {p.state}" for p in working.positions.values()]
        return (
            ", ".join([*orders, *positions]) or f"{self.exchange.in_flight} {self.stream.under_way} under way"
        )

    def is_flat(self, process: Process | None) -> bool:
        """Whether nothing is held any more, either."""
        return self.is_reached(process) and process is not None and not process.engine.state.working.positions
