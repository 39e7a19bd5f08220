"""Swapper: other strategies for a pair while it trades: warmed up, tried in shadow, seated between two ticks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loguru import logger

from fsm.permission import ACTIVE
from services.signal_aggregation import REPLACED
from services.strategies.base import Strategy
from services.strategies.beside import Trial
from services.strategies.budget import StrategyHung
from services.strategies.panel import Panel, WeightedStrategy
from services.strategies.warming import WarmUp
from services.strategy_changes import write_strategies
from services.trading_orchestrator import TradingOrchestrator
from services.turns.turn import Turn

WARM_UP_AT_ONCE = 32
"""Samples of the past that are worked through before the next tick gets its turn."""

_SUPERSEDED = "a later swap took its place"

Also = Callable[[Turn, str, bool], None]
"""What else the swap's own commit shall hold, such as the answer to who asked: the turn, the words, whether swapped."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How one swap is to be done."""

    shadow_samples: int = 100
    probation_samples: int = 600
    """For how long the predecessor watches on, ready to trade again at once."""
    by: str = ""
    """Who or what asked for it, for the journal."""
    chosen: str = ""
    """What the next start is told of this choice; empty when the configuration names it."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """What became of a swap."""

    symbol: str
    taken: bool
    because: str


class Swapper:
    """One for an engine. At most one swap of a symbol is under way: a later one takes the place of an earlier one."""

    def __init__(self, orchestrator: TradingOrchestrator) -> None:
        self.orchestrator = orchestrator
        self._trials: dict[str, asyncio.Future[str]] = {}
        """The reason that ends each trial from outside; empty when it ended by itself."""

    def is_under_way(self, symbol: str) -> bool:
        return symbol in self._trials

    async def swap(
        self, symbol: str, weighted: Sequence[WeightedStrategy], terms: Terms, also: Also | None = None
    ) -> Swapped:
        """Returns once the swap is committed, or refused with the reason in the journal; the old ones trade until then.

        `weighted` are made for this swap and were never asked. Waits for as many samples as the trial takes, at
        least one. Raises KeyError for a symbol that is not traded.
        """
        panel = self.orchestrator.signals.panel(symbol)
        traded = panel.describe()
        self._supersede(symbol)
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._trials[symbol] = ended
        try:
            warm_up = await self._warm_up(symbol, weighted)
            if self.orchestrator.signals.panel(symbol) is panel and panel.describe() != traded:
                return await self.refuse(symbol, terms, REPLACED, also)
            if not ended.done():
                self._try_out(symbol, warm_up, terms, ended)
            fault = await ended
            trial = self.orchestrator.signals.bench.trial_of(symbol)
            if fault or trial is None or trial.fault:
                return await self.refuse(
                    symbol, terms, fault or (trial.fault if trial else _SUPERSEDED), also
                )
            return await self._seat(symbol, trial, terms, also)
        except (Exception, StrategyHung) as error:  # a strategy may be anybody's code; the old ones trade on
            return await self.refuse(symbol, terms, _told(error), also)
        finally:
            if self._trials.get(symbol) is ended:
                del self._trials[symbol]
                self.orchestrator.signals.bench.end_trial(symbol)

    def _supersede(self, symbol: str) -> None:
        earlier = self._trials.pop(symbol, None)
        if earlier is not None:
            self.orchestrator.signals.bench.end_trial(symbol)
            if not earlier.done():
                earlier.set_result(_SUPERSEDED)

    async def _warm_up(self, symbol: str, weighted: Sequence[WeightedStrategy]) -> WarmUp:
        """In small parts; what comes meanwhile is caught up with when the candidate is seated."""
        warm_up = WarmUp(symbol, weighted, self.orchestrator.signals.budget_ns)
        recent = self.orchestrator.market.recent(symbol)
        while recent is not None:
            if warm_up.catch_up(recent, WARM_UP_AT_ONCE):
                break
            await asyncio.sleep(0)
        return warm_up

    def _try_out(self, symbol: str, warm_up: WarmUp, terms: Terms, ended: asyncio.Future[str]) -> None:
        def end() -> None:
            if not ended.done():
                ended.set_result("")

        signals = self.orchestrator.signals
        trial = Trial(warm_up, signals.panel(symbol), terms.shadow_samples, terms.chosen, end)
        signals.bench.try_out(trial)

    async def _seat(self, symbol: str, trial: Trial, terms: Terms, also: Also | None) -> Swapped:
        """Journals and seats in one turn, which no tick divides."""
        signals, panel = self.orchestrator.signals, trial.panel
        assert panel is not None  # it is seated with the first sample, and a trial takes at least one
        old = signals.panel(symbol)
        words = f"{_listed(old)} swapped for {_listed(panel)}{_by(terms)}; {trial.told()}"
        seated = False

        def work(turn: Turn) -> None:
            nonlocal seated
            if trial.fault or signals.bench.trial_of(symbol) is not trial:
                return
            write_strategies(turn, symbol, panel.describe(), terms.chosen, words)
            if also is not None:
                also(turn, words + self._permission_told(symbol), True)
            self.orchestrator.run(turn)
            signals.bench.promoted(symbol, signals.seat_panel(panel), max(terms.probation_samples, 1))
            seated = True

        committed = await self.orchestrator.transact(symbol, work, urgent=True)
        if not seated:
            return await self.refuse(symbol, terms, trial.fault or _SUPERSEDED, also)
        if not committed:
            self._unseat(symbol, panel)
            fault = self.orchestrator.state.store_fault
            return Swapped(symbol, False, f"not swapped: it could not be written down: {fault}")
        logger.bind(event="strategies_swapped", symbol=symbol, how=words).info("strategies_swapped")
        return Swapped(symbol, True, words + self._permission_told(symbol))

    def _unseat(self, symbol: str, panel: Panel) -> None:
        """What could not be written down has not happened."""
        signals = self.orchestrator.signals
        old = signals.bench.forget(symbol)
        if old is not None and signals.panel(symbol) is panel:
            signals.seat_panel(old).leave()

    async def refuse(self, symbol: str, terms: Terms, fault: str, also: Also | None = None) -> Swapped:
        """The reason goes into the journal; what trades stays as it is."""
        signals = self.orchestrator.signals
        words = f"not swapped{_by(terms)}: {fault}"

        def work(turn: Turn) -> None:
            panel = signals.panel(symbol)
            write_strategies(turn, symbol, panel.describe(), panel.chosen, words)
            if also is not None:
                also(turn, words, False)
            self.orchestrator.run(turn)

        logger.bind(event="swap_refused", symbol=symbol, fault=fault).warning("swap_refused")
        await self.orchestrator.transact(symbol, work)
        return Swapped(symbol, False, words)

    def _permission_told(self, symbol: str) -> str:
        """A pair that a broken strategy stopped stays so until a person says otherwise."""
        permission = self.orchestrator.state.permission(symbol)
        if permission.state == ACTIVE:
            return ""
        return f"; {symbol} is {permission.state} still: {permission.reason}"


def _listed(panel: Panel) -> str:
    return " + ".join(
        f"{Strategy.__str__(seat.weighted.strategy)} [{seat.identity['source']}]" for seat in panel.seats
    )


def _by(terms: Terms) -> str:
    return f" by {terms.by}" if terms.by else ""


def _told(error: BaseException) -> str:
    text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return text[:2_000]
