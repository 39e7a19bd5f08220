"""The daily loss: the equity with which the UTC day began is kept in the store, and too great a loss stops entries."""

from typing import TYPE_CHECKING

from fsm.permission import ACTIVE, ENGINE_SUBJECT, LIMIT_REACHED
from fsm.records import PermissionRecord
from services.risk_management import day_of, next_day_ms

if TYPE_CHECKING:
    from services.trading_orchestrator import TradingOrchestrator


async def watch_daily_loss(orchestrator: "TradingOrchestrator", now_ms: int) -> None:
    """Begins each day with its equity, and stops entries until the day's end once its loss reaches the limit."""
    risk, state = orchestrator.risk, orchestrator.state
    today = day_of(now_ms)
    if state.facts.get("day") != today:
        start = {"day": today, "day_start_equity": str(risk.equity())}
        await orchestrator.transact(ENGINE_SUBJECT, lambda turn: turn.facts.update(start))
        return
    state.day_ends_ms = next_day_ms(now_ms)
    if risk.limits.max_daily_loss is None:
        return
    verdict = risk.daily_loss_verdict()
    if verdict.holds or state.permission(ENGINE_SUBJECT).state != ACTIVE:
        return

    def update(permission: PermissionRecord) -> None:
        permission.reason = f"max_daily_loss: {verdict.because}"
        permission.due_at_ms = next_day_ms(now_ms)

    await orchestrator.apply("permission", ENGINE_SUBJECT, LIMIT_REACHED, update)
