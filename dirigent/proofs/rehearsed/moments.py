"""The moments at which an engine is killed, as the exchange sees them: it hears a request, and the sender dies.

They are hooks on one rehearsal exchange, in its own thread. What it had heard it carries out all the same.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirigent.proofs.methods import replace_method
from dirigent.proofs.rehearsed.beside import Beside
from dirigent.rehearsal.server import Rehearsal

Kill = Callable[[], None]

ORDER_HEARD = "order heard"
ORDER_TAKEN = "order taken"
ORDER_ANSWERED = "order answered"
CANCEL_TAKEN = "cancel taken"
ORDER_ASKED_FOR = "order asked for"

ON_THE_WIRE = (ORDER_HEARD, ORDER_TAKEN, ORDER_ANSWERED, CANCEL_TAKEN, ORDER_ASKED_FOR)

ANSWER_LATEST_S = 0.03
"""How long after an answer began to leave the signal comes at the latest: before, while or after it is read."""


@dataclass(slots=True)
class _Due:
    moment: str
    passings: int
    kill: Kill
    done: threading.Event


class Moments:
    """Watches the exchange for the moment that is due; there is one at a time."""

    def __init__(self, beside: Beside, delay_s: Callable[[], float]) -> None:
        """`delay_s` draws a part of `ANSWER_LATEST_S`."""
        self._beside = beside
        self._delay_s = delay_s
        self._due: _Due | None = None
        beside.do(self._install)

    def expect(self, moment: str, passings: int, kill: Kill) -> threading.Event:
        """Calls `kill` at so many passings of the moment from now. The event is set when it has been called."""
        due = _Due(moment, passings, kill, threading.Event())
        self._beside.do(lambda _: self._set(due))
        return due.done

    def forget(self) -> None:
        self._beside.do(lambda _: self._set(None))

    def _set(self, due: _Due | None) -> None:
        self._due = due

    def _install(self, server: Rehearsal) -> None:
        venue, desk = server.venue, server.venue.desk
        place, cancel, find = venue.place, desk.cancel, desk.find

        def placing(*given: Any) -> Any:
            self._passed(ORDER_HEARD)
            order = place(*given)
            self._passed(ORDER_TAKEN)
            self._passed(ORDER_ANSWERED)
            return order

        def cancelling(*given: Any) -> Any:
            answer = cancel(*given)
            self._passed(CANCEL_TAKEN)
            return answer

        def finding(*given: Any) -> Any:
            found = find(*given)
            self._passed(ORDER_ASKED_FOR)
            return found

        replace_method(venue, "place", placing)
        replace_method(desk, "cancel", cancelling)
        replace_method(desk, "find", finding)

    def _passed(self, moment: str) -> None:
        due = self._due
        if due is None or due.moment != moment:
            return
        due.passings -= 1
        if due.passings > 0:
            return
        self._due = None
        if moment == ORDER_ANSWERED:
            asyncio.get_running_loop().call_later(self._delay_s() * ANSWER_LATEST_S, _end, due)
        else:
            _end(due)


def _end(due: _Due) -> None:
    due.kill()
    due.done.set()
