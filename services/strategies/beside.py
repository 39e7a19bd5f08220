"""What is asked beside the strategies that trade: a candidate on trial, and the predecessor that may come back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from loguru import logger

from services.market_data_analyzer import MarketDataAnalyzer
from services.messages import Tick
from services.strategies.budget import StrategyHung
from services.strategies.panel import Panel, StrategyFailed, WeightedStrategy
from services.strategies.warming import WarmUp, twins


@dataclass(slots=True)
class Trial:
    """A candidate that is asked for its votes, which count for nothing, until it has stood so many samples."""

    warm_up: WarmUp
    running: Panel
    samples_wanted: int
    chosen: str
    on_end: Callable[[], None]
    """Called once: when it has stood the trial, or failed in it."""
    panel: Panel | None = None
    """None until the first sample, at which it is seated."""
    samples: int = 0
    votes: int = 0
    differences: int = 0
    """Samples at which it wished for something else than those that trade."""
    fault: str = ""
    has_ended: bool = False

    def ask(self, tick: Tick, analyzer: MarketDataAnalyzer) -> None:
        """Never raises. Goes on after the end, so that the candidate stays warm until it trades."""
        if self.fault:
            return
        try:
            panel = self.panel or self._seated(tick, analyzer)
            if self.samples and _wish(panel) != _wish(self.running):
                self.differences += 1  # both panels still hold what they said to the sample before
            self.votes += panel.ask(tick)
        except (
            Exception,
            StrategyHung,
        ) as error:  # a strategy may be anybody's code, and this one trades not
            self.fault = str(error)
        self.samples += 1
        if not self.has_ended and (self.fault or self.samples >= self.samples_wanted):
            self.has_ended = True
            self.on_end()

    def _seated(self, tick: Tick, analyzer: MarketDataAnalyzer) -> Panel:
        """It stands longer where neither the past nor the market's own indicators have warmed it up."""
        symbol, warm_up = tick.symbol, self.warm_up
        indicators, recent = analyzer.indicators(symbol), analyzer.recent(symbol)
        self.panel = panel = warm_up.seated(tick, indicators, recent, self.running)
        panel.chosen = self.chosen
        if not (warm_up.is_long_enough or panel.is_warm):
            self.samples_wanted += panel.samples_needed - warm_up.samples
        return panel

    def end(self, fault: str) -> None:
        """From outside: it is not to trade any more."""
        self.fault = self.fault or fault
        if not self.has_ended:
            self.has_ended = True
            self.on_end()

    def leave(self) -> None:
        if self.panel is not None:
            self.panel.leave()

    def told(self) -> str:
        return (
            f"warmed up on {self.warm_up.samples} samples,"
            f" {self.samples} in shadow with {self.votes} votes, {self.differences} unlike the old"
        )


def _wish(panel: Panel) -> int:
    return (panel.score > 0) - (panel.score < 0) if panel.votes else 0


@dataclass(slots=True)
class Predecessor:
    """Those that traded before a swap. They go on watching for a while, then only their recipe is kept."""

    panel: Panel
    samples_left: int
    recipe: Sequence[WeightedStrategy]
    chosen: str

    def ask(self, tick: Tick) -> None:
        """Never raises: what fails here does not trade."""
        if self.samples_left <= 0:
            return
        with suppress(StrategyFailed):  # the panel remembers it, and is not gone back to with it
            self.panel.ask(tick)
        self.samples_left -= 1
        if self.samples_left <= 0:
            self.panel.leave()

    @property
    def is_watching(self) -> bool:
        return self.samples_left > 0


@dataclass(slots=True)
class Beside:
    """Both, of one symbol."""

    trial: Trial | None = None
    predecessor: Predecessor | None = None


class Bench:
    """Everything that is asked beside the panels that trade, by symbol; empty nearly always."""

    __slots__ = ("seats",)

    def __init__(self) -> None:
        self.seats: dict[str, Beside] = {}

    def ask(self, tick: Tick, analyzer: MarketDataAnalyzer) -> None:
        """Before those that trade are asked. Never raises."""
        beside = self.seats.get(tick.symbol)
        if beside is None:
            return
        if beside.predecessor is not None:
            beside.predecessor.ask(tick)
        if beside.trial is not None:
            beside.trial.ask(tick, analyzer)

    def try_out(self, trial: Trial) -> None:
        """Asks a candidate from the next sample on; one that was on trial goes."""
        symbol = trial.running.symbol
        self.end_trial(symbol)
        self.seats.setdefault(symbol, Beside()).trial = trial

    def trial_of(self, symbol: str) -> Trial | None:
        beside = self.seats.get(symbol)
        return None if beside is None else beside.trial

    def end_trial(self, symbol: str) -> None:
        """The candidate goes without having traded."""
        beside = self.seats.get(symbol)
        if beside is not None and beside.trial is not None:
            beside.trial.leave()
            beside.trial = None
            self._tidy(symbol)

    def promoted(self, symbol: str, old: Panel, probation_samples: int) -> None:
        """The candidate trades; those that did before are its predecessor from now on."""
        beside = self.seats[symbol]
        if beside.predecessor is not None and beside.predecessor.is_watching:
            beside.predecessor.panel.leave()
        recipe = [seat.weighted for seat in old.seats]
        beside.predecessor = Predecessor(old, probation_samples, recipe, old.chosen)
        beside.trial = None

    def forget(self, symbol: str) -> Panel | None:
        """Takes the predecessor away; its panel when it is still warm."""
        beside = self.seats.get(symbol)
        if beside is None or beside.predecessor is None:
            return None
        predecessor, beside.predecessor = beside.predecessor, None
        self._tidy(symbol)
        return predecessor.panel if predecessor.is_watching else None

    def come_back(self, tick: Tick, analyzer: MarketDataAnalyzer, budget_ns: int) -> Panel | None:
        """The predecessor, having taken this sample in; None when there is none that could."""
        beside = self.seats.get(tick.symbol)
        if beside is None or beside.predecessor is None:
            return None
        predecessor = beside.predecessor
        panel = self.forget(tick.symbol)
        if panel is None:
            try:
                panel = _revived(predecessor, tick, analyzer, budget_ns)
            except (Exception, StrategyHung) as error:  # a strategy may be anybody's code
                logger.bind(event="rollback_failed", symbol=tick.symbol, error=str(error)).error(
                    "rollback_failed"
                )
                return None
        elif panel.failure is not None:
            panel.leave()
            return None
        panel.chosen = predecessor.chosen
        return panel

    def runs_now(self, panel: Panel) -> None:
        """Whom a candidate on trial is compared with."""
        beside = self.seats.get(panel.symbol)
        if beside is not None and beside.trial is not None:
            beside.trial.running = panel

    def _tidy(self, symbol: str) -> None:
        beside = self.seats.get(symbol)
        if beside is not None and beside.trial is None and beside.predecessor is None:
            del self.seats[symbol]


def _revived(predecessor: Predecessor, tick: Tick, analyzer: MarketDataAnalyzer, budget_ns: int) -> Panel:
    """Made anew and warmed up on the recent past, all but this sample, which it is then asked about."""
    symbol = tick.symbol
    warm_up = WarmUp(symbol, twins(predecessor.recipe), budget_ns)
    panel = warm_up.seated(tick, analyzer.indicators(symbol), analyzer.recent(symbol))
    try:
        panel.ask(tick)
    except StrategyFailed:
        panel.leave()
        raise
    return panel
