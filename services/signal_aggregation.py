"""SignalAggregationService: strategies' votes become one weighted, explained signal, or a reason for none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fsm.values import Side, Verdict
from services.market_data_analyzer import MarketDataAnalyzer, MarketView
from services.messages import BadSignal, Signal, Tick
from services.ports import Archive
from services.strategies.base import StrategyError, nearest
from services.strategies.beside import Bench
from services.strategies.panel import Panel
from services.strategies.panel import StrategyFailed as StrategyFailed
from services.strategies.panel import WeightedStrategy as WeightedStrategy

SIGNAL_FIELDS = dict.fromkeys(("id", "symbol", "side", "strength", "reason", "at", "expires_at"))
ID_LENGTH_MAX = 200

REPLACED = "the pair got other strategies meanwhile"
"""What ends a swap that was asked for before its pair's strategies were replaced at once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_10000_MS = 253_402_300_800_000


@dataclass(frozen=True, slots=True)
class _Pair:
    panel: Panel
    view: MarketView
    expires_ms: int


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The predecessor trades again; `signal` is what it makes of the sample that its successor failed at."""

    signal: Signal | None


class SignalAggregationService:
    """Asks each symbol's strategies once a sample, and answers the guards about signals.

    Votes add up to a score from -1, all sell, to 1, all buy; `threshold` reached either way is a signal.
    """

    def __init__(
        self,
        analyzer: MarketDataAnalyzer,
        archive: Archive,
        *,
        threshold: float = 0.5,
        budget_ms: float = 0,
    ) -> None:
        """`budget_ms` is what a user's strategy may take of a sample; 0 watches none."""
        if not 0.0 < threshold <= 1.0:
            raise StrategyError(f"threshold {threshold!r} is not above 0 and at most 1")
        self.analyzer = analyzer
        self.archive = archive
        self.threshold = threshold
        self.budget_ns = int(budget_ms * 1e6)
        self._pairs: dict[str, _Pair] = {}
        self.bench = Bench()
        """Who is asked beside those that trade."""

    def configure(self, symbol: str, weighted: Sequence[WeightedStrategy], expires_ms: int) -> None:
        """Once for each symbol the analyzer knows. `expires_ms` is how long its signals live by default."""
        if symbol in self._pairs:
            raise StrategyError(f"{symbol}: it has its strategies already; replace them")
        if expires_ms <= 0:
            raise StrategyError(f"{symbol}: signals that expire after {expires_ms} ms are never fresh")
        panel = Panel(symbol, self.analyzer.indicators(symbol), self.budget_ns)
        self._seat(panel, weighted)
        self._pairs[symbol] = _Pair(panel, self.analyzer.market(symbol), expires_ms)

    def replace(self, symbol: str, weighted: Sequence[WeightedStrategy]) -> None:
        """Changes a symbol's strategies between two samples; those that are listed again go on undisturbed.

        They count as the configuration's own, and a trial beside the former ones ends. Raises StrategyError, or
        whatever a strategy's `bind` raises, having changed nothing.
        """
        panel = self._pairs[symbol].panel
        self._seat(panel, weighted)
        panel.chosen = ""
        predecessor = self.bench.forget(symbol)
        if predecessor is not None:
            predecessor.leave()
        trial = self.bench.trial_of(symbol)
        if trial is not None:
            trial.end(REPLACED)

    def _seat(self, panel: Panel, weighted: Sequence[WeightedStrategy]) -> None:
        for other in self._pairs.values():
            if other.panel is not panel:
                busy = [seat.weighted.strategy for seat in other.panel.seats]
                for each in weighted:
                    if any(each.strategy is strategy for strategy in busy):
                        raise StrategyError(f"strategy {each.strategy} serves {other.panel.symbol} already")
        panel.seat(weighted)

    def strategies_of(self, symbol: str) -> tuple[WeightedStrategy, ...]:
        return tuple(seat.weighted for seat in self._pairs[symbol].panel.seats)

    def describe(self, symbol: str) -> str:
        """The strategies with parameters, source hashes and weights, as canonical JSON."""
        return self._pairs[symbol].panel.describe()

    def evaluate(self, tick: Tick) -> Signal | None:
        """Asks the strategies about one sample that the analyzer has just taken in. Raises StrategyFailed.

        The signal's id is made of symbol, side, time and the sample's number: one history, one id.
        """
        pair = self._pairs[tick.symbol]
        panel = pair.panel
        if self.bench.seats:
            self.bench.ask(tick, self.analyzer)
        if not panel.ask(tick):
            return None
        return self._signal_of(pair, tick)

    def _signal_of(self, pair: _Pair, tick: Tick) -> Signal | None:
        panel = pair.panel
        score = panel.score
        if abs(score) < self.threshold:
            return None
        side = Side.BUY if score > 0 else Side.SELL
        return Signal(
            id=f"{tick.symbol}:{side}:{tick.at_ms}:{pair.view.samples}",
            symbol=tick.symbol,
            side=side,
            strength=abs(score),
            reason=f"score {score:+.3g} at threshold {self.threshold:g}: {panel.account()}",
            at_ms=tick.at_ms,
            expires_at_ms=tick.at_ms + pair.expires_ms,
        )

    def panel(self, symbol: str) -> Panel:
        """The strategies that trade it."""
        return self._pairs[symbol].panel

    def seat_panel(self, panel: Panel) -> Panel:
        """This panel trades from now on; returns the one that did, still warm: to be left or asked beside."""
        pair = self._pairs[panel.symbol]
        self._pairs[panel.symbol] = replace(pair, panel=panel)
        return pair.panel

    def roll_back(self, failure: StrategyFailed, tick: Tick) -> "RolledBack | None":
        """After `evaluate` raised: the predecessor trades on with this very sample; None when there is none to.

        The strategies that failed are let go.
        """
        panel = self.bench.come_back(tick, self.analyzer, self.budget_ns)
        if panel is None:
            return None
        self.seat_panel(panel).leave()
        self.bench.runs_now(panel)
        return RolledBack(self._signal_of(self._pairs[tick.symbol], tick) if panel.votes else None)

    def why_not(self, symbol: str) -> str:
        """Why the last sample gave no signal, strategy by strategy, with numbers; or that it gave one."""
        pair = self._pairs.get(symbol)
        if pair is None:
            return "no strategy is configured"
        panel = pair.panel
        if panel.failure is not None:
            return str(panel.failure)
        account = panel.account()
        if not panel.votes:
            return account
        if abs(panel.score) < self.threshold:
            return f"score {panel.score:+.3g} is short of threshold {self.threshold:g}: {account}"
        return f"the last sample gave a signal, score {panel.score:+.3g}: {account}"

    def gave_signal(self, symbol: str) -> bool:
        """Whether the last sample gave one."""
        pair = self._pairs.get(symbol)
        if pair is None or pair.panel.failure is not None:
            return False
        return bool(pair.panel.votes) and abs(pair.panel.score) >= self.threshold

    def signal_is_new(self, signal: Signal) -> Verdict:
        offered = self.archive.signal_was_offered(signal.id)
        return Verdict(
            "signal_is_new", not offered, f"signal {signal.id} was {'' if offered else 'not '}offered before"
        )

    def signal_is_fresh(self, signal: Signal, now_ms: int) -> Verdict:
        """Neither expired nor dated further ahead than a tick may be."""
        ahead_ms, left_ms = signal.at_ms - now_ms, signal.expires_at_ms - now_ms
        if ahead_ms > self.analyzer.future_tolerance_ms:
            tolerance_ms = self.analyzer.future_tolerance_ms
            because = f"it is dated {ahead_ms} ms ahead, tolerance {tolerance_ms} ms"
            return Verdict("signal_is_fresh", False, because)
        because = f"{left_ms} ms left" if left_ms > 0 else f"it expired {-left_ms} ms ago"
        return Verdict("signal_is_fresh", left_ms > 0, because)

    def parse(self, signal_data: Mapping[str, Any], side: str) -> Signal:
        """A signal from outside; raises BadSignal.

        `id` and `symbol` are required. Unless given, `strength` is 1, `reason` empty, `at` the time of
        receipt and `expires_at` a default life later. A time is an aware datetime, RFC 3339 text or a whole
        number of milliseconds.
        """
        if not isinstance(signal_data, Mapping):
            raise BadSignal(f"a signal is a mapping, got {signal_data!r}")
        for name in signal_data:
            if name not in SIGNAL_FIELDS:
                known = f"known are {', '.join(SIGNAL_FIELDS)}{nearest(str(name), SIGNAL_FIELDS)}"
                raise BadSignal(f"{name}: unknown field; {known}")
        signal_id = _text(signal_data, "id")
        if not signal_id or len(signal_id) > ID_LENGTH_MAX:
            raise BadSignal(f"id: {signal_id!r} is not 1 to {ID_LENGTH_MAX} characters")
        if not signal_id.isprintable():
            raise BadSignal(f"id: {signal_id!r} holds characters that cannot be printed")
        symbol = _text(signal_data, "symbol")
        pair = self._pairs.get(symbol)
        if pair is None:
            raise BadSignal(f"symbol: {symbol!r} is not one of {', '.join(self._pairs) or 'none'}")
        if signal_data.get("side", side) != side:
            raise BadSignal(f"side: {signal_data['side']!r} was handed in as a {side} signal")
        at = signal_data.get("at")
        at_ms = self.analyzer.clock.now_ms() if at is None else _moment("at", at)
        expires_at = signal_data.get("expires_at")
        expires_at_ms = at_ms + pair.expires_ms if expires_at is None else _moment("expires_at", expires_at)
        if expires_at_ms <= at_ms:
            raise BadSignal(f"expires_at: {expires_at!r} is not after at, {at!r}")
        reason = _text(signal_data, "reason") if signal_data.get("reason") is not None else ""
        return Signal(signal_id, symbol, Side(side), _strength(signal_data), reason, at_ms, expires_at_ms)

    def checkpoint(self, symbol: str) -> dict[str, Any]:
        """What the strategies themselves remember, JSON-able; their indicators are the analyzer's to save."""
        return self._pairs[symbol].panel.checkpoint()

    def restore(self, symbol: str, checkpoint: Mapping[str, Any]) -> None:
        """A strategy whose name, parameters or source have changed starts anew. Raises CheckpointError."""
        self._pairs[symbol].panel.restore(checkpoint)


def _text(signal_data: Mapping[str, Any], name: str) -> str:
    value = signal_data.get(name)
    if not isinstance(value, str):
        raise BadSignal(f"{name}: {value!r} is not a text" if name in signal_data else f"{name}: is missing")
    return value


def _strength(signal_data: Mapping[str, Any]) -> float:
    value = signal_data.get("strength")
    if value is None:
        return 1.0
    try:
        strength = float("nan") if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        strength = float("nan")
    if not 0.0 <= strength <= 1.0:
        raise BadSignal(f"strength: {value!r} is not a number from 0 to 1")
    return strength


def _moment(name: str, value: object) -> int:
    """Milliseconds since the epoch; a text or a datetime has to say its offset from UTC."""
    given = value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise BadSignal(f"{name}: {given!r} is not an RFC 3339 time") from None
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise BadSignal(f"{name}: {given!r} does not say its offset from UTC")
        value = (value - _EPOCH) // timedelta(milliseconds=1)
    if type(value) is not int or not 0 <= value < _YEAR_10000_MS:
        raise BadSignal(f"{name}: {given!r} is not a time: an aware datetime, RFC 3339 or whole milliseconds")
    return value
