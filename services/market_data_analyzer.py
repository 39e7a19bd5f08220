"""MarketDataAnalyzer: checks each price that comes in and keeps what is known of each market up to date."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fsm.values import ZERO
from services.indicator_set import IndicatorSet as IndicatorSet
from services.indicators import CheckpointError, Volatility, checked_mapping
from services.messages import BadTick, Tick
from services.ports import Clock
from services.recent_samples import RecentSamples

PRICE_MIN, PRICE_MAX = Decimal("1e-100"), Decimal("1e100")
"""Between these no indicator's arithmetic overflows."""

_NOT_A_NUMBER = (ArithmeticError, ValueError, TypeError)


class MarketView:
    """What is known of one market now. It is live: read it when it is needed, do not keep its values."""

    __slots__ = (
        "_volatility",
        "ask",
        "at_ms",
        "bid",
        "last",
        "sample_price",
        "sample_price_before",
        "samples",
        "symbol",
    )

    def __init__(self, symbol: str, volatility: Volatility) -> None:
        self.symbol = symbol
        self._volatility = volatility
        self.last = ZERO
        """The last price; zero before the first tick."""
        self.at_ms = 0
        """The time of the last tick; zero before the first."""
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None
        self.samples = 0
        self.sample_price = 0.0
        """The last sample's price, and the one before it; zero before the first and the second sample."""
        self.sample_price_before = 0.0

    @property
    def spread(self) -> float:
        """(ask - bid) / middle of the last tick; zero when that named no bid or no ask."""
        bid, ask = self.bid, self.ask
        return 0.0 if bid is None or ask is None else float(2 * (ask - bid) / (ask + bid))

    @property
    def jump(self) -> float:
        """How far the last sample lies from the one before, as a fraction of the latter; never negative."""
        before = self.sample_price_before
        return abs(self.sample_price - before) / before if before else 0.0

    @property
    def volatility(self) -> float:
        """The standard deviation of the log returns from sample to sample; NaN until it is warmed up."""
        return self._volatility.value


class MarketDataAnalyzer:
    """Prices become ticks, samples update indicators. A price that is refused changes nothing."""

    def __init__(
        self,
        clock: Clock,
        *,
        future_tolerance_ms: int = 60_000,
        volatility_period: int = 60,
        recent_samples: int = 0,
    ) -> None:
        """`recent_samples` of each market are kept, to warm up strategies that are swapped in."""
        self.clock = clock
        self.future_tolerance_ms = future_tolerance_ms
        self._volatility_period = volatility_period
        self._recent_samples = recent_samples
        self._recent: dict[str, RecentSamples] = {}
        self._markets: dict[str, tuple[MarketView, IndicatorSet]] = {}
        self._allowed_until_ms = 0

    def add_symbol(self, symbol: str) -> MarketView:
        """From now on ticks of this symbol are taken. Adding it again changes nothing."""
        if symbol not in self._markets:
            indicators = IndicatorSet()
            view = MarketView(symbol, indicators.need(Volatility, self._volatility_period))
            if self._recent_samples:
                recent = self._recent[symbol] = RecentSamples(view, self._recent_samples)
                indicators.also_update(recent.update)
            self._markets[symbol] = (view, indicators)
        return self._markets[symbol][0]

    def knows(self, symbol: str) -> bool:
        return symbol in self._markets

    def market(self, symbol: str) -> MarketView:
        """Raises KeyError for a symbol that was not added, as all that follow do."""
        return self._markets[symbol][0]

    def indicators(self, symbol: str) -> IndicatorSet:
        return self._markets[symbol][1]

    def recent(self, symbol: str) -> RecentSamples | None:
        """None when no past is kept."""
        return self._recent.get(symbol)

    def age_ms(self, symbol: str) -> int | None:
        """The age of the last tick; None before the first."""
        view = self._markets[symbol][0]
        return self.clock.now_ms() - view.at_ms if view.last else None

    def observe(self, ticker_data: Mapping[str, Any]) -> Tick:
        """Takes one ccxt ticker structure; raises BadTick.

        The price is `last`, else `close`. `timestamp` must be there; None, as Kraken sends it, means the
        time of receipt. `info["sample"]` False marks a point inside a bar: it moves the price only.
        """
        # Flat on purpose: every price of every market comes through here, and a call costs what a check does.
        try:
            symbol = ticker_data["symbol"]
            view, indicators = self._markets[symbol]
            at_ms = ticker_data["timestamp"]
            get = ticker_data.get
            last = get("last")
            if last is None:
                last = get("close")
            last = Decimal(last) if last.__class__ is str else _decimal(last)
            is_good = PRICE_MIN < last < PRICE_MAX
            bid, ask = get("bid"), get("ask")
            if bid is not None:
                bid = Decimal(bid) if bid.__class__ is str else _decimal(bid)
                is_good = is_good and PRICE_MIN < bid < PRICE_MAX
            if ask is not None:
                ask = Decimal(ask) if ask.__class__ is str else _decimal(ask)
                is_good = is_good and (PRICE_MIN if bid is None else bid) <= ask < PRICE_MAX
        except (*_NOT_A_NUMBER, KeyError, AttributeError):
            raise self._refusal(ticker_data) from None
        if not is_good:
            raise self._refusal(ticker_data)
        if at_ms is None:
            at_ms = max(self.clock.now_ms(), view.at_ms)
        elif (
            at_ms.__class__ is not int
            or at_ms < view.at_ms
            or (at_ms > self._allowed_until_ms and self._is_of_the_future(at_ms))
        ):
            raise self._refusal(ticker_data)
        info = get("info")
        is_sample = info.__class__ is not dict or info.get("sample") is not False

        tick = Tick(symbol, at_ms, last, bid, ask, is_sample)
        view.last = last
        view.at_ms = at_ms
        view.bid = bid
        view.ask = ask
        if is_sample:
            view.sample_price_before = view.sample_price
            view.sample_price = price = float(last)
            view.samples += 1
            for update in indicators.updates:
                update(price)
        return tick

    def checkpoint(self, symbol: str) -> dict[str, Any]:
        """JSON-able; covers the market's view and all its indicators."""
        view, indicators = self._markets[symbol]
        return {
            "last": str(view.last),
            "at_ms": view.at_ms,
            "samples": view.samples,
            "sample_price": view.sample_price,
            "sample_price_before": view.sample_price_before,
            "indicators": indicators.state(),
        }

    def restore(self, symbol: str, checkpoint: Mapping[str, Any]) -> None:
        """Call it once all indicators are needed; one that the checkpoint lacks, or that comes later is cold.

        Raises CheckpointError, having changed nothing.
        """
        view, indicators = self._markets[symbol]
        try:
            last, at_ms, samples = Decimal(checkpoint["last"]), checkpoint["at_ms"], checkpoint["samples"]
            prices = [float(checkpoint[name]) for name in ("sample_price", "sample_price_before")]
            if type(at_ms) is not int or type(samples) is not int or at_ms < 0 or samples < 0:
                raise TypeError(f"at_ms {at_ms!r} and samples {samples!r} are whole numbers of at least 0")
            if not all(
                price == 0 or PRICE_MIN < price < PRICE_MAX for price in (last, *map(Decimal, prices))
            ):
                raise ValueError(f"a price is out of range: {last}, {prices}")
            indicators.restore(checked_mapping(checkpoint["indicators"]))
        except (*_NOT_A_NUMBER, KeyError) as error:
            raise CheckpointError(f"{symbol}: {type(error).__name__}: {error}") from None
        view.last, view.at_ms, view.samples = last, at_ms, samples
        view.sample_price, view.sample_price_before = prices
        view.bid = view.ask = None

    def _is_of_the_future(self, at_ms: int) -> bool:
        """Asks the clock; until a time exceeds what it allowed then, it need not be asked again."""
        self._allowed_until_ms = self.clock.now_ms() + self.future_tolerance_ms
        return at_ms > self._allowed_until_ms

    def _refusal(self, ticker_data: object) -> BadTick:
        """Finds what is wrong with a ticker that was refused."""
        if not isinstance(ticker_data, Mapping):
            return BadTick(f"a ticker is a mapping, got {_shown(ticker_data)}")
        symbol = ticker_data.get("symbol")
        if not isinstance(symbol, str) or symbol not in self._markets:
            return BadTick(f"symbol {_shown(symbol)} is not one of {', '.join(self._markets) or 'none'}")
        field = "close" if ticker_data.get("last") is None else "last"
        if ticker_data.get(field) is None:
            return BadTick(f"{symbol}: no price: neither last nor close is given")
        fault = _price_fault(ticker_data[field])
        if fault:
            return BadTick(f"{symbol}: {field} {_shown(ticker_data[field])} {fault}")
        fault = self._time_fault(symbol, ticker_data)
        if fault:
            return BadTick(f"{symbol}: timestamp {fault}")
        for field in ("bid", "ask"):
            value = ticker_data.get(field)
            fault = "" if value is None else _price_fault(value)
            if fault:
                return BadTick(f"{symbol}: {field} {_shown(value)} {fault}")
        return BadTick(
            f"{symbol}: bid {_shown(ticker_data.get('bid'))} is above ask {_shown(ticker_data.get('ask'))}"
        )

    def _time_fault(self, symbol: str, ticker_data: Mapping[str, Any]) -> str:
        if "timestamp" not in ticker_data:
            return "is missing; None would mean the time of receipt"
        at_ms = ticker_data["timestamp"]
        if at_ms is None:
            return ""
        if type(at_ms) is not int:
            return f"{_shown(at_ms)} is not a whole number of milliseconds"
        last_ms, now_ms = self.market(symbol).at_ms, self.clock.now_ms()
        if at_ms < last_ms:
            return f"{at_ms} is of the past: {last_ms - at_ms} ms before the last tick's {last_ms}"
        if at_ms > now_ms + self.future_tolerance_ms:
            ahead_ms = at_ms - now_ms
            return f"{at_ms} is of the future: {ahead_ms} ms ahead, tolerance {self.future_tolerance_ms} ms"
        return ""


def _decimal(value: object) -> Decimal:
    """A float is taken by its shortest digits, so that 0.1 means 0.1. Raises TypeError for no number."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(value)
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _price_fault(value: object) -> str:
    """Which rule a price breaks; empty when none."""
    try:
        price = _decimal(value)
    except TypeError:
        return f"is not a number but {type(value).__name__}"
    except (ArithmeticError, ValueError):
        return "is not a number"
    if not price.is_finite():
        return "is not finite"
    if price <= 0:
        return "is not above zero"
    return "" if PRICE_MIN < price < PRICE_MAX else f"is not between {PRICE_MIN} and {PRICE_MAX}"


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
