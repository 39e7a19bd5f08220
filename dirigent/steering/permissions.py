"""The commands that take and give the permission to enter: halt, stop-entry, resume. Exits go on in any case."""

from collections.abc import Callable

from dirigent.steering.plans import Plan, Result, done, note, refused, says
from fsm.permission import (
    ACTIVE,
    ENGINE_SUBJECT,
    ENTRIES_STOPPED,
    EXITS_ONLY,
    HALT_ORDERED,
    HALTED,
    RESUMED,
)
from fsm.records import PermissionRecord
from persistence.commands import Command
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn

REMOVED = "removed by a person: it leaves and enters nothing more"
"""The reason of a pair's permission from its removal on."""


def halt(orchestrator: TradingOrchestrator, command: Command) -> Plan:
    return _stop(orchestrator, command, HALT_ORDERED, HALTED, "halts")


def stop_entry(orchestrator: TradingOrchestrator, command: Command) -> Plan:
    return _stop(orchestrator, command, ENTRIES_STOPPED, EXITS_ONLY, "stops the entries of")


def _stop(orchestrator: TradingOrchestrator, command: Command, event: str, target: str, verb: str) -> Plan:
    scope = scope_of(command)
    if scope not in orchestrator.state.working.permissions:
        return says(refused(f"{scope} is no pair of this engine; see `dirigent pairs`"))
    reason = str(command.arguments.get("reason") or f"{verb} {scope}")

    def work(turn: Turn) -> Result:
        turn.raise_event("permission", scope, event, _because(command, reason), note(command, reason))
        step = orchestrator.run(turn)[0]
        if step.row is not None:
            return done(f"{scope} is {target}: no entries, exits go on; until `dirigent resume`")
        held = turn.permission(scope)
        return done(f"{scope} is {held.state} already: {held.reason}")

    return Plan(work, scope)


def _because(command: Command, reason: str) -> Callable[[PermissionRecord], None]:
    def update(permission: PermissionRecord) -> None:
        permission.reason = f"{command.person}: {reason}"
        permission.due_at_ms = None

    return update


def resume(orchestrator: TradingOrchestrator, command: Command) -> Plan:
    """`versions` holds, by scope, what the person saw stopped: what was stopped anew since then stays so."""
    permissions = orchestrator.state.working.permissions
    scope = scope_of(command)
    if scope != "all" and scope not in permissions:
        return says(refused(f"{scope} is no pair of this engine; see `dirigent pairs`"))
    seen = command.arguments.get("versions") or {}

    def work(turn: Turn) -> Result:
        resumed, kept = [], []
        for one in permissions if scope == "all" else (scope,):
            permission = turn.permission(one)
            if permission.state == ACTIVE:
                continue
            words = f"{one} is {permission.state}: {permission.reason}"
            if not _is_traded(orchestrator, one):
                kept.append(f"{words}; it is not traded: `dirigent pairs add {one}` brings it back")
            elif seen and seen.get(one) != permission.version:
                kept.append(f"{words}, since the command was given; resume it again if that is meant")
            else:
                why = note(command, f"resumes it after: {permission.reason}")
                turn.raise_event("permission", one, RESUMED, None, why)
                resumed.append(one)
        orchestrator.run(turn)
        return _told(scope, resumed, kept, turn)

    return Plan(work, ENGINE_SUBJECT if scope == "all" else scope)


def _is_traded(orchestrator: TradingOrchestrator, scope: str) -> bool:
    """A pair that only leaves, or is gone, enters nothing whatever its permission."""
    rules = orchestrator.risk.rules.get(scope)
    return scope == ENGINE_SUBJECT or (rules is not None and rules.max_deals > 0)


def _told(scope: str, resumed: list[str], kept: list[str], turn: Turn) -> Result:
    words = [f"active: {', '.join(resumed)}"] if resumed else []
    if kept:
        words += kept
    elif not resumed:
        words.append("all are active already" if scope == "all" else f"{scope} is active already")
    if scope not in (ENGINE_SUBJECT, "all") and turn.permission(ENGINE_SUBJECT).state != ACTIVE:
        words.append(f"the engine itself is {turn.permission(ENGINE_SUBJECT).state}: nothing enters yet")
    return refused("; ".join(words)) if kept and not resumed else done("; ".join(words))


def scope_of(command: Command) -> str:
    return str(command.arguments.get("symbol") or ENGINE_SUBJECT)
