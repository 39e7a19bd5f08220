"""The moments between which an order's way is torn when a process dies, and a child that dies at one of them.

`python -m dirigent.proofs.death.boundaries NAME NTH trade ...` is the command itself, except that it sends
itself SIGKILL when it passes the named boundary for the NTH time.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirigent.command_line import main
from dirigent.proofs.methods import replace_method
from fsm.commit import CommitBatch
from persistence.store import SqliteStore
from persistence.transactions import Transactions, Write
from services.exchanges.paper import PaperExchange
from services.messages import OrderReport, OrderRequest

Pass = Callable[[], None]
"""Called at the boundary; does not return when its turn has come."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """`install` puts the call into the class that passes the boundary."""

    name: str
    meaning: str
    install: Callable[[Pass], None]
    nth_max: int = 6
    """The death comes at one of so many passings."""


def _around_full_transaction(*, before: Pass, inside: Pass, after: Pass) -> None:
    """The transactions that must be on disk before something leaves: those of intents."""
    run = Transactions.run

    def dying(self: Transactions, write: Write, *, on_disk: bool) -> None:
        if not on_disk:
            run(self, write, on_disk=False)
            return

        def then_inside(connection: sqlite3.Connection) -> None:
            write(connection)
            inside()

        before()
        run(self, then_inside, on_disk=True)
        after()

    replace_method(Transactions, "run", dying)


def _nothing() -> None:
    pass


def _before_commit(passed: Pass) -> None:
    _around_full_transaction(before=passed, inside=_nothing, after=_nothing)


def _in_commit(passed: Pass) -> None:
    _around_full_transaction(before=_nothing, inside=passed, after=_nothing)


def _after_commit(passed: Pass) -> None:
    _around_full_transaction(before=_nothing, inside=_nothing, after=passed)


def _before_send(passed: Pass) -> None:
    create = PaperExchange.create_order

    async def dying(self: PaperExchange, request: OrderRequest) -> OrderReport:
        passed()
        return await create(self, request)

    replace_method(PaperExchange, "create_order", dying)


def _after_answer(passed: Pass) -> None:
    create = PaperExchange.create_order

    async def dying(self: PaperExchange, request: OrderRequest) -> OrderReport:
        report = await create(self, request)
        passed()
        return report

    replace_method(PaperExchange, "create_order", dying)


def _after(method: str) -> Callable[[Pass], None]:
    """After a synchronous method of the exchange: it has done it, and its answer has not left."""

    def install(passed: Pass) -> None:
        original = getattr(PaperExchange, method)

        def dying(self: PaperExchange, *arguments: Any) -> Any:
            answer = original(self, *arguments)
            passed()
            return answer

        setattr(PaperExchange, method, dying)

    return install


def _around_record(*, before: Pass, after: Pass) -> None:
    commit = SqliteStore.commit

    def dying(self: SqliteStore, batch: CommitBatch) -> None:
        has_fills = bool(batch.fills)
        if has_fills:
            before()
        commit(self, batch)
        if has_fills:
            after()

    replace_method(SqliteStore, "commit", dying)


def _before_record(passed: Pass) -> None:
    _around_record(before=passed, after=_nothing)


def _after_record(passed: Pass) -> None:
    _around_record(before=_nothing, after=passed)


BOUNDARIES = {
    boundary.name: boundary
    for boundary in (
        Boundary("before commit", "the intent is decided, nothing of it is written", _before_commit),
        Boundary("in commit", "the intent is written, its transaction still open", _in_commit),
        Boundary("after commit", "the intent is on disk, nothing has left", _after_commit),
        Boundary("before send", "the request is about to leave", _before_send),
        Boundary("after send", "the exchange has taken the order, its answer has not left", _after("_take")),
        Boundary("after look-up", "a look-up is answered and not yet read", _after("_find"), nth_max=1),
        Boundary("after answer", "the answer is here and not yet read", _after_answer),
        Boundary("before record", "fills are known and not yet booked", _before_record),
        Boundary("after record", "fills are booked, nobody was told", _after_record),
        Boundary(
            "after cancel",
            "the exchange has cancelled, its answer has not left",
            _after("_cancel"),
            nth_max=2,
        ),
    )
}
"""In an order in which each finds what it needs: there is a look-up after a death that left an order in flight."""


def _die_at(count: int) -> Pass:
    left = count

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return passed


if __name__ == "__main__":
    name, nth = sys.argv[1:3]
    BOUNDARIES[name].install(_die_at(int(nth)))
    main(sys.argv[3:])
