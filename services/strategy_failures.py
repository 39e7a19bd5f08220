"""What follows when a strategy raises: what was swapped in is rolled back, or the pair stops entering."""

from typing import TYPE_CHECKING

from loguru import logger

from fsm.permission import ACTIVE
from services.messages import Signal, Tick
from services.signal_aggregation import StrategyFailed
from services.strategy_changes import write_strategies
from services.turns.turn import Turn

if TYPE_CHECKING:
    from services.trading_orchestrator import TradingOrchestrator


async def answer_failure(
    orchestrator: "TradingOrchestrator", failure: StrategyFailed, tick: Tick
) -> Signal | None:
    """What was swapped in goes, and its predecessor trades on; without one the pair's entries are suspended.

    Returns the signal that the predecessor gives at this tick, if any.
    """
    rolled_back = orchestrator.signals.roll_back(failure, tick)
    if rolled_back is None:
        await _suspend(orchestrator, failure)
        return None

    def note(turn: Turn) -> None:
        panel = orchestrator.signals.panel(failure.symbol)
        write_strategies(turn, failure.symbol, panel.describe(), panel.chosen, f"rolled back: {failure}")
        orchestrator.run(turn)
        logger.bind(event="strategy_rolled_back", symbol=failure.symbol, error=str(failure)).error(
            "strategy_rolled_back"
        )

    await orchestrator.transact(tick.symbol, note, urgent=True)
    return rolled_back.signal


async def _suspend(orchestrator: "TradingOrchestrator", failure: StrategyFailed) -> None:
    """A strategy that raises stops the entries of its own pair, and nothing else."""
    if orchestrator.state.permission(failure.symbol).state == ACTIVE:
        logger.bind(event="strategy_failed", symbol=failure.symbol, error=str(failure)).error(
            "strategy_failed"
        )
        await orchestrator.quarantine(failure.symbol, str(failure))
