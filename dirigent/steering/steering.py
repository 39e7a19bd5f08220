"""Steering: carries out, in their order and each exactly once, the commands that people gave to the engine."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Container
from typing import Protocol

from loguru import logger

from dirigent.steering.plans import EXPIRED, Plan, Result, note, refused, says
from fsm.commit import AnsweredCommand, StoreError
from fsm.permission import COMMAND_ANSWERED, ENGINE_SUBJECT
from persistence.commands import Command
from services.strategies.budget import StrategyHung
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn

Handler = Callable[[Command], Awaitable[Plan]]
"""Prepares what a command of one kind does. What it changes in memory it must be able to do twice: a plan whose
commit failed is prepared anew."""


PERMISSIONS = frozenset({"halt", "stop-entry", "resume"})

_PAIRS_AT_ONCE = 20
"""In one commit: a tick waits no longer than these take."""


class Commands(Protocol):
    """Where commands come from."""

    def read(self) -> list[Command]:
        """Those that came since the last call, and perhaps some again. Raises StoreError."""


class Answered(Protocol):
    """Whose books the commands change, and which of them were answered."""

    @property
    def tag(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    def command_was_answered(self, command_id: str) -> bool: ...


class Steering:
    """Effects, journal entries and answer of a command are one transaction: a death comes before or after."""

    def __init__(
        self,
        orchestrator: TradingOrchestrator,
        inbox: Commands,
        books: Answered,
        handlers: dict[str, Handler],
    ) -> None:
        self.orchestrator = orchestrator
        self.handlers = handlers
        self._inbox = inbox
        self._books = books
        self._waiting: dict[str, Command] = {}
        self._fault = ""

    async def obey_permissions(self) -> None:
        """Carries out what is there up to the first command of another kind. These need the books alone, so that at a
        start they hold before anything follows from what the exchange says.
        """
        await self.obey(PERMISSIONS)

    async def obey(self, kinds: Container[str] | None = None) -> None:
        """Carries out what is there. What cannot be committed now is tried again at the next call, and what came
        after it waits: a resume must not overtake its halt. So does what comes after a command not of these `kinds`.
        """
        try:
            for command in self._inbox.read():
                self._waiting.setdefault(command.id, command)
        except StoreError as error:
            self._tell_fault(str(error))
            return
        self._fault = ""
        while self._waiting:
            command = next(iter(self._waiting.values()))
            if not self._books.command_was_answered(command.id):
                is_of_these = kinds is None or command.kind in kinds
                if not is_of_these or not await self._carry_out(command):
                    return
            del self._waiting[command.id]

    async def _carry_out(self, command: Command) -> bool:
        """False when it has to be tried again."""
        plan = await self._plan(command)
        for start in range(0, len(plan.first), _PAIRS_AT_ONCE):
            together = plan.first[start : start + _PAIRS_AT_ONCE]
            turns = (self.orchestrator.transact(symbol, work, urgent=True) for symbol, work in together)
            if not all(await asyncio.gather(*turns)) and self.orchestrator.state.store_fault:
                return False
        if await self._commit(command, plan):
            plan.then()
            return True
        if self.orchestrator.state.store_fault:
            return False
        return await self._commit(command, says(refused("it failed, and changed nothing; the log says why")))

    async def _plan(self, command: Command) -> Plan:
        unmeant = self._unmeant(command)
        if unmeant is not None:
            return says(unmeant)
        handler = self.handlers.get(command.kind)
        if handler is None:
            return says(refused(f"this engine knows no command {command.kind!r}"))
        try:
            return await handler(command)
        except (Exception, StrategyHung) as error:  # whatever a command says must not end the trading
            logger.bind(event="command_failed", command=command.id, kind=command.kind).exception(
                "command_failed"
            )
            return says(refused(f"it failed: {type(error).__name__}: {error}"))

    def _unmeant(self, command: Command) -> Result | None:
        """A command for another time, or for a later state of these books than they are in."""
        now_ms = self.orchestrator.state.clock.now_ms()
        if command.tag != self._books.tag or command.epoch > self._books.epoch:
            return refused("it was given to another database, or to a later state of this one")
        if command.expires_at_ms is not None and now_ms >= command.expires_at_ms:
            late_s = (now_ms - command.expires_at_ms) / 1000
            return Result(EXPIRED, f"it expired {late_s:.0f} s before the engine could carry it out")
        return None

    async def _commit(self, command: Command, plan: Plan) -> bool:
        results: list[Result] = []

        def work(turn: Turn) -> None:
            result = plan.work(turn)
            results.append(result)
            if not turn.journal:
                words = note(command, f"{command.kind}: {result.outcome}: {result.words}")
                turn.raise_event("permission", ENGINE_SUBJECT, COMMAND_ANSWERED, None, words)
                self.orchestrator.run(turn)
            turn.commands.append(_answered(command, result, turn.now_ms))

        if not await self.orchestrator.transact(plan.symbol, work, urgent=True):
            return False
        (result,) = results
        fields = {"command": command.id, "kind": command.kind, "person": command.person}
        logger.bind(event="command_answered", **fields, outcome=result.outcome, answer=result.words).info(
            "command_answered"
        )
        return True

    def _tell_fault(self, fault: str) -> None:
        """Once for as long as it lasts: it is asked ten times a second."""
        if fault != self._fault:
            self._fault = fault
            logger.bind(event="commands_unreadable", fault=fault).error("commands_unreadable")


def _answered(command: Command, result: Result, now_ms: int) -> AnsweredCommand:
    return AnsweredCommand(
        id=command.id,
        kind=command.kind,
        arguments=json.dumps(command.arguments, sort_keys=True, separators=(",", ":")),
        person=command.person,
        given_at_ms=command.given_at_ms,
        answered_at_ms=now_ms,
        outcome=result.outcome,
        answer=result.words,
    )
