"""The dice: which fault, if any, befalls this request, this report, this second; and what has befallen so far."""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from dirigent.rehearsal.chaos import Chaos
from services.exchanges.seeded_random import SeededRandom


class Fault(StrEnum):
    """Named as their chances are in `Chaos`."""

    LOST_REQUEST = "lost_request"
    LOST_RESPONSE = "lost_response"
    LATE_EXECUTION = "late_execution"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    GARBAGE = "garbage"
    GARBAGE_SUCCESS = "garbage_success"
    STALL = "stall"
    DISCONNECT = "disconnect"
    LOST_REPORT = "lost_report"
    DUPLICATE_REPORT = "duplicate_report"
    REORDERED_REPORT = "reordered_report"
    PARTIAL_FILL = "partial_fill"


_OF_REQUESTS = (
    Fault.RATE_LIMITED,
    Fault.BANNED,
    Fault.LOST_REQUEST,
    Fault.LATE_EXECUTION,
    Fault.SERVER_ERROR,
    Fault.GARBAGE,
    Fault.GARBAGE_SUCCESS,
    Fault.LOST_RESPONSE,
)
_OF_REPORTS = (Fault.LOST_REPORT, Fault.REORDERED_REPORT, Fault.DUPLICATE_REPORT)
_OF_SECONDS = (Fault.DISCONNECT, Fault.STALL)


class Faults:
    """Each fault has a generator of its own, so that the chance of one does not move the others.

    A fault that is armed befalls the next thing it can befall, whatever the chances are.
    """

    def __init__(self, chaos: Chaos, seed: int, elapsed_s: Callable[[], float]) -> None:
        self.chaos = chaos
        self.counts: Counter[str] = Counter()
        self._elapsed_s = elapsed_s
        chance_seed = seed if chaos.seed is None else chaos.seed
        self._dice = {fault: SeededRandom.named(chance_seed, fault) for fault in Fault}
        self._details = SeededRandom.named(chance_seed, "details")
        self._armed: Counter[tuple[Fault, str]] = Counter()

    def arm(self, fault: Fault, times: int = 1, on: str = "") -> None:
        """`on` names a request, such as `GET /api/v3/order`, or a kind of connection: `market` or `user`.

        Without it a fault of requests hits one that creates or cancels an order.
        """
        self._armed[fault, on] += times

    def of_request(self, name: str, *, trades: bool, creates: bool) -> Fault | None:
        """`trades` says that it creates or cancels an order; `creates`, that it creates one."""
        for fault in _OF_REQUESTS:
            if fault is Fault.LATE_EXECUTION and not creates:
                continue
            if self._was_armed(fault, name) or (trades and self._was_armed(fault)):
                return fault
            if (trades or not self.chaos.orders_only) and self._is_drawn(fault):
                return fault
        return None

    def of_report(self) -> Fault | None:
        return next((fault for fault in _OF_REPORTS if self._befalls(fault)), None)

    def of_second(self, kind: str) -> Fault | None:
        """Drawn once a second for each connection; `kind` is `market` or `user`."""
        return next(
            (fault for fault in _OF_SECONDS if self._was_armed(fault, kind) or self._befalls(fault)), None
        )

    def fills_partly(self) -> bool:
        return self._befalls(Fault.PARTIAL_FILL)

    def drawn(self, low: float, high: float) -> float:
        """A detail of a fault, such as how late, between two numbers."""
        return self._details.between(low, high)

    def one_in(self, choices: int) -> int:
        """A detail of a fault: one of so many, counted from 0."""
        return self._details.up_to(choices) - 1

    def _befalls(self, fault: Fault) -> bool:
        return self._was_armed(fault) or self._is_drawn(fault)

    def _was_armed(self, fault: Fault, on: str = "") -> bool:
        if not self._armed[fault, on]:
            return False
        self._armed[fault, on] -= 1
        self.counts[fault] += 1
        return True

    def _is_drawn(self, fault: Fault) -> bool:
        chance: float = getattr(self.chaos, fault)
        if not chance or self._elapsed_s() < self.chaos.begin_after_s:
            return False
        if self._dice[fault].uniform() >= chance:
            return False
        self.counts[fault] += 1
        return True
