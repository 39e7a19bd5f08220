"""The assessment of a pair: what every guard and every risk check would say to an entry now, and since when."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from fsm.pair import ORDERING, SIGNALLED
from fsm.records import PairRecord
from fsm.refusals import A_SIGNAL_WAS_GIVEN, NO_ENTRY_IN_FLIGHT, Answer, Assessment
from fsm.values import Verdict
from services.deals.pair_guards import entry_is_permitted, outcomes_are_known
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn


class Assessor:
    """Asks all guards, not only up to the first that fails as an entry does; it decides nothing.

    It remembers since when each verdict has been as it is, to the pace at which it is asked.
    """

    def __init__(self, orchestrator: TradingOrchestrator) -> None:
        self._orchestrator = orchestrator
        self._since: dict[tuple[str, str], tuple[bool, int]] = {}

    def restore(self, kept: Iterable[Assessment]) -> None:
        """Goes on from what an earlier process saved: a verdict that is still the same keeps its beginning."""
        for assessment in kept:
            for answer in assessment.answers:
                verdict = answer.verdict
                self._since[assessment.symbol, verdict.guard] = (verdict.holds, answer.since_ms)

    def assess(self, symbols: Sequence[str], now_ms: int) -> list[Assessment]:
        """Those of these symbols that have been resumed."""
        equity = self._orchestrator.risk.equity()
        pairs = self._orchestrator.state.working.pairs
        return [self._assess(symbol, now_ms, equity) for symbol in symbols if symbol in pairs]

    def _assess(self, symbol: str, now_ms: int, equity: Decimal) -> Assessment:
        verdicts = entry_verdicts(self._orchestrator, symbol, now_ms, equity)
        return Assessment(
            symbol, now_ms, tuple(self._answer(symbol, verdict, now_ms) for verdict in verdicts)
        )

    def _answer(self, symbol: str, verdict: Verdict, now_ms: int) -> Answer:
        key = (symbol, verdict.guard)
        known = self._since.get(key)
        if known is None or known[0] != verdict.holds:
            known = self._since[key] = (verdict.holds, now_ms)
        return Answer(verdict, known[1])


def entry_verdicts(
    orchestrator: TradingOrchestrator, symbol: str, now_ms: int, equity: Decimal | None = None
) -> list[Verdict]:
    """In the order in which an entry meets them. The risk checks need a price and are left out before the first."""
    risk, state = orchestrator.risk, orchestrator.state
    pair = state.working.pairs[symbol]
    turn = Turn(state, symbol, now_ms)
    verdicts = [
        _a_signal_was_given(orchestrator, symbol),
        _no_entry_in_flight(pair),
        entry_is_permitted(turn, pair),
        outcomes_are_known(turn, pair),
        risk.cooldown_is_over(turn, pair),
        risk.price_is_fresh(turn, pair),
    ]
    if risk.market.market(symbol).last:
        verdicts += risk.verdicts(symbol, now_ms, equity)
    return verdicts


def _a_signal_was_given(orchestrator: TradingOrchestrator, symbol: str) -> Verdict:
    signals = orchestrator.signals
    return Verdict(A_SIGNAL_WAS_GIVEN, signals.gave_signal(symbol), signals.why_not(symbol))


def _no_entry_in_flight(pair: PairRecord) -> Verdict:
    if pair.state == SIGNALLED:
        return Verdict(NO_ENTRY_IN_FLIGHT, False, "an accepted signal waits for a fresh price")
    if pair.state == ORDERING:
        return Verdict(NO_ENTRY_IN_FLIGHT, False, f"position {pair.entry_position_id} is entering")
    return Verdict(NO_ENTRY_IN_FLIGHT, True, "none is entering")
