"""Why a pair trades or does not: every guard with what it compared, how often it refused, and the way out."""

from dataclasses import dataclass
from typing import Any

from dirigent.commands.listing import in_words
from dirigent.explaining.remedies import compared, to_change, way_out
from dirigent.output import rfc3339
from fsm.permission import ACTIVE
from fsm.refusals import A_SIGNAL_WAS_GIVEN, NO_ENTRY_IN_FLIGHT, RISK_GUARD, Refusal, refusing
from fsm.values import Verdict
from persistence.explanations import Standpoint, Tally

_TO_SIGNALS_ONLY = ("signal_is_new", "signal_is_fresh")
_ENTERING = {"signalled": "an accepted signal waits for a fresh price", "ordering": "an entry is in flight"}
SILENT_MS = 10_000
"""A heartbeat comes each second; so much later something is wrong."""
STALE_MS = 60_000
"""A running engine's verdicts older than that are marked: with a thousand pairs each waits its turn."""


@dataclass(slots=True)
class Told:
    """A verdict, and whence it is known."""

    verdict: Verdict | None
    """None: nobody asked, or the answer was not kept."""
    since_ms: int | None = None
    at_ms: int | None = None


def document(point: Standpoint) -> dict[str, Any]:
    guards = [_guard(point, name, told) for name, told in _answers(point).items()]
    failing = [row for row in guards if row["holds"] is False]
    pair = point.pair
    return {
        "symbol": point.symbol,
        "at_ms": point.at_ms,
        "answer": _answer(point, failing),
        "engine": {"running": point.is_running, "heard_at": point.heard_at_ms},
        "state": pair.state,
        "state_since_at": point.since_ms,
        "reason": pair.reason,
        "cooldown_until": pair.cooldown_until_ms or None,
        **in_words({"strategy": pair.strategy}),
        "permissions": [
            {
                "scope": permission.scope,
                "state": permission.state,
                "since_at": since_ms,
                "until": permission.due_at_ms,
                "reason": permission.reason,
                "way_out": _way_out(permission.scope, permission.state, permission.due_at_ms),
            }
            for permission, since_ms in point.permissions
        ],
        "price": _price(point),
        "guards": guards,
        "last_decision": _last_decision(point),
        "not_known": list(_not_known(point, guards)),
    }


def _answers(point: Standpoint) -> dict[str, Told]:
    """By guard, in the order in which an entry meets them, the best that is known of each at that moment."""
    answers: dict[str, Told] = {}
    if point.assessment is not None:
        for answer in point.assessment.answers:
            answers[answer.verdict.guard] = Told(answer.verdict, answer.since_ms, point.assessment.at_ms)
        for name in _TO_SIGNALS_ONLY:
            answers.setdefault(name, Told(None))
    else:
        answers = _from_the_journal(point)
    for refusal in point.refusals:
        answers.setdefault(refusal.guard, Told(None))
    for name in point.journaled:
        answers.setdefault(name, Told(None))
    return answers


def _from_the_journal(point: Standpoint) -> dict[str, Told]:
    """What the fold says exactly, and what the last decision's guards said when it was made."""
    pair = point.pair
    entering = _ENTERING.get(pair.state, "")
    unknown = ", ".join(point.unknown_orders)
    left_ms = max(pair.cooldown_until_ms - point.at_ms, 0)
    exact = (
        Verdict(NO_ENTRY_IN_FLIGHT, not entering, entering or "none is entering"),
        _permitted(point),
        Verdict("outcomes_are_known", not unknown, f"unknown: {unknown or 'none'}"),
        Verdict("cooldown_is_over", not left_ms, f"{left_ms / 1000:g} s left"),
    )
    answers = {verdict.guard: Told(verdict, None, point.at_ms) for verdict in exact}
    if point.is_now and point.price is not None and point.price.note:
        silence = Verdict(A_SIGNAL_WAS_GIVEN, False, point.price.note)
        answers = {A_SIGNAL_WAS_GIVEN: Told(silence, None, point.price.at_ms), **answers}
    decided = point.decided
    for verdict in decided.verdicts if decided else ():
        answers.setdefault(verdict.guard, Told(verdict, None, decided.at_ms if decided else None))
    return answers


def _permitted(point: Standpoint) -> Verdict:
    for permission, _ in point.permissions:
        if permission.state != ACTIVE:
            words = f"{permission.scope} is {permission.state}: {permission.reason}"
            return Verdict("entry_is_permitted", False, words)
    return Verdict("entry_is_permitted", True, "engine and pair are active")


def _guard(point: Standpoint, name: str, told: Told) -> dict[str, Any]:
    verdict = told.verdict
    refusal = next((one for one in point.refusals if one.guard == name), None)
    tally = point.journaled.get(name)
    in_hour, counted = _in_hour(point, refusal, tally)
    last = _last_refused(point, refusal, tally)
    return {
        "guard": name,
        "holds": None if verdict is None else verdict.holds,
        "because": verdict.because if verdict else "",
        "since_at": told.since_ms,
        "as_of_at": told.at_ms,
        "refused_in_last_hour": in_hour,
        "counted_in": counted,
        "refused_in_all": refusal.count if refusal and _is_of_now(point, refusal) else None,
        "first_refused_at": refusal.first_at_ms if refusal else None,
        "last_refused_at": last[1],
        "last_refused_because": last[0],
        "to_change": to_change(name, verdict.because) if _is_obstacle(point, told) and verdict else "",
    }


def _is_obstacle(point: Standpoint, told: Told) -> bool:
    """Whether it fails at the moment asked for; what an earlier decision was refused for may be over."""
    fails = told.verdict is not None and not told.verdict.holds
    return fails and (point.assessment is not None or told.at_ms == point.at_ms)


def _in_hour(point: Standpoint, refusal: Refusal | None, tally: Tally | None) -> tuple[int | None, str]:
    """Minutes count every refusal, the journal those of signals; None where only hours are left."""
    if refusal is not None:
        counted = refusal.in_hour_before(point.at_ms)
        if counted is not None and (counted or _is_of_now(point, refusal)):
            return counted, "minutes"
    if tally is not None:
        return tally.count, "journal"
    return (0, "") if refusal is None else (None, "")


def _is_of_now(point: Standpoint, refusal: Refusal) -> bool:
    """Whether nothing was counted after the moment that is asked for."""
    return refusal.last_at_ms <= point.at_ms


def _last_refused(point: Standpoint, refusal: Refusal | None, tally: Tally | None) -> tuple[str, int | None]:
    if refusal is not None and _is_of_now(point, refusal):
        return refusal.because, refusal.last_at_ms
    return (tally.because, tally.last_at_ms) if tally else ("", None)


def _answer(point: Standpoint, failing: list[dict[str, Any]]) -> str:
    """The first obstacle in a sentence, and how many others there are.

    Of a past moment only what is known of that very moment counts, and the last decision is told beside it.
    """
    if point.assessment is None:
        failing = [row for row in failing if row["as_of_at"] == point.at_ms]
    return _obstacles(point, failing) + _last_refusal(point)


def _obstacles(point: Standpoint, failing: list[dict[str, Any]]) -> str:
    stands = "stands" if point.is_now and point.is_running else "stood"
    prefix = "the engine is not running; at its last moment " if point.is_now and not point.is_running else ""
    stopped = [row for row in failing if row["guard"] != A_SIGNAL_WAS_GIVEN]
    silent = len(stopped) < len(failing)
    if not stopped:
        nothing = "nothing" if point.assessment is not None else "nothing that is known"
        return (
            f"{prefix}no signal came, and {nothing} else {stands} against one"
            if silent
            else (f"{prefix}{nothing} {stands} against an entry")
        )
    first = stopped[0]
    words = f"{prefix}{first['guard']}: {compared(first['guard'], first['because'])}"
    more = len(stopped) - 1
    also = [f"{more} more"] if more else []
    also += ["no signal came either"] if silent else []
    return f"{words} ({', and '.join(also)})" if also else words


def _last_refusal(point: Standpoint) -> str:
    refused = refusing(point.decided.verdicts) if point.decided else None
    if refused is None or point.decided is None or point.assessment is not None:
        return ""
    return (
        f"; the last entry considered, at {rfc3339(point.decided.at_ms)}, was refused: {': '.join(refused)}"
    )


def _way_out(scope: str, state: str, until_ms: int | None) -> str:
    return "" if state == ACTIVE else way_out(scope, state, rfc3339(until_ms) if until_ms else "")


def _price(point: Standpoint) -> dict[str, Any] | None:
    price = point.price
    if price is None or not price.at_ms:
        return None
    return {"last": price.last, "at": price.at_ms, "age_s": (point.at_ms - price.at_ms) / 1000}


def _last_decision(point: Standpoint) -> dict[str, Any] | None:
    decided = point.decided
    if decided is None:
        return None
    return {
        "seq": decided.seq,
        "at": decided.at_ms,
        "event": decided.event,
        "source": decided.source,
        "target": decided.target,
        "outcome": decided.outcome,
        "guards": [
            {"guard": verdict.guard, "holds": verdict.holds, "because": verdict.because}
            for verdict in decided.verdicts
        ],
    }


def _not_known(point: Standpoint, guards: list[dict[str, Any]]) -> "list[str]":
    """Honest gaps, in words."""
    gaps = []
    silent_ms = point.at_ms - (point.heard_at_ms or point.at_ms)
    if point.is_now and point.is_running and silent_ms > SILENT_MS:
        gaps.append(f"what the engine does: it runs, and was last heard {silent_ms / 1000:g} s ago")
    if point.assessment is None:
        gaps.append(
            "the strategies' words, the price's age, spread, money and limits of that moment are not kept;"
            " what the last decision compared is told as of its own time"
            if not point.is_now
            else "no engine has asked this pair's guards since this database has kept their answers"
        )
        if point.decided is not None and any(v.guard == RISK_GUARD for v in point.decided.verdicts):
            gaps.append("of the risk checks the first that refused is known, or that all approved")
    elif point.is_running and point.at_ms - point.assessment.at_ms > STALE_MS:
        gaps.append(f"the guards were last asked at {rfc3339(point.assessment.at_ms)}")
    if any(row["refused_in_last_hour"] is None for row in guards):
        gaps.append("refusals of that hour are no longer counted by the minute")
    return gaps
