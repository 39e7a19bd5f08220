"""The drawdown halt: the highest equity is kept in the store, and too deep a fall below it halts the engine."""

from decimal import Decimal
from typing import TYPE_CHECKING

from fsm.permission import ENGINE_SUBJECT, HALT_ORDERED, HALTED
from fsm.records import Record
from fsm.values import ZERO
from services.turns.turn import Turn

if TYPE_CHECKING:
    from services.trading_orchestrator import TradingOrchestrator

EQUITY_PEAK = "equity_peak"


async def watch_drawdown(orchestrator: "TradingOrchestrator") -> None:
    """Follows the peak upward, and halts the engine below it; called every second, free without a limit.

    After a halt the peak is the equity of that moment: a person who resumes begins a new drawdown, or the next second
    would halt again.
    """
    risk, state = orchestrator.risk, orchestrator.state
    if risk.limits.max_drawdown is None:
        return
    equity = risk.equity()
    verdict = risk.drawdown_verdict(equity)
    peak = Decimal(state.facts.get(EQUITY_PEAK, ZERO))
    is_halted = state.permission(ENGINE_SUBJECT).state == HALTED
    if verdict.holds or is_halted:
        if equity > peak:
            await orchestrator.transact(ENGINE_SUBJECT, lambda turn: _keep_peak(turn, equity))
        return

    def halt(turn: Turn) -> None:
        def update(permission: Record) -> None:
            permission.reason = f"max_drawdown: {verdict.because}"

        _keep_peak(turn, equity)
        turn.raise_event("permission", ENGINE_SUBJECT, HALT_ORDERED, update, "a limit, not a person")
        orchestrator.run(turn)

    await orchestrator.transact(ENGINE_SUBJECT, halt, urgent=True)


def _keep_peak(turn: Turn, equity: Decimal) -> None:
    turn.facts[EQUITY_PEAK] = str(equity)
