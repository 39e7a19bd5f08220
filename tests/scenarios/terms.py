"""The settings above a story: the pair's rules, the risk limits, the exchange's terms, in plain names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from services.exchanges.paper import PaperSettings
from services.messages import MarketRules, PairRules, RiskLimits
from tests.scenarios.phrases import duration_ms

SYMBOL = "ADA/USDT"


@dataclass(frozen=True, slots=True)
class Choice:
    """A strategy with its parameters."""

    name: str
    params: Mapping[str, object] = field(default_factory=dict)
    weight: float = 1


def _market() -> MarketRules:
    cent = Decimal("0.01")
    return MarketRules(SYMBOL, amount_step=cent, price_step=cent, amount_min=cent, cost_min=Decimal(5))


def _exchange() -> PaperSettings:
    """No latency, no noise, and prices as fast as the story brings them."""
    return PaperSettings(
        balances={"USDT": Decimal(1000)},
        spread=Decimal(0),
        slippage=Decimal(0),
        latency_ms=(0, 0),
        ticks_per_s=0,
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that is set before the market starts."""

    pair: PairRules = field(default_factory=lambda: PairRules(SYMBOL))
    limits: RiskLimits = field(default_factory=RiskLimits)
    market: MarketRules = field(default_factory=_market)
    exchange: PaperSettings = field(default_factory=_exchange)
    strategy: Choice = field(default_factory=lambda: Choice("external"))
    tick_ms: int = 1000
    begin_ms: int = 1_714_564_800_000


def _amount(text: str) -> Decimal | None:
    """`2 %`, `0.02`, `100` or `off`."""
    if text == "off":
        return None
    number, _, unit = text.partition(" ")
    if unit not in ("", "%", "USDT"):
        raise ValueError(f"{text!r} is not a number, a percentage or off")
    return Decimal(number) / (100 if unit == "%" else 1)


def _seconds(text: str) -> float | None:
    return None if text == "off" else duration_ms(text) / 1000


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r} is neither yes nor no")
    return text == "yes"


def _coin(text: str) -> str:
    if text not in ("base", "quote"):
        raise ValueError(f"{text!r} is neither base nor quote")
    return text


def _moment_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} does not say its offset from UTC; end it with Z")
    return int(moment.timestamp()) * 1000


def _strategy(text: str) -> Choice:
    """A name and its whole-number parameters: `sma_cross fast 3 slow 8`."""
    name, *words = text.split()
    return Choice(name, {key: int(value) for key, value in zip(words[::2], words[1::2], strict=True)})


# fmt: off
_TERMS: Mapping[str, tuple[str, str, Callable[[str], Any]]] = {
    #  name                 part        field                  how it is read
    "deal quota":          ("pair",     "deal_quota",          _amount),
    "max deals":           ("pair",     "max_deals",           int),
    "order type":          ("pair",     "order_type",          str),
    "take profit":         ("pair",     "take_profit",         _amount),
    "stop loss":           ("pair",     "stop_loss",           _amount),
    "trailing stop":       ("pair",     "trailing_stop",       _amount),
    "max hold":            ("pair",     "max_hold_s",          _seconds),
    "exit on sell signal": ("pair",     "exit_on_sell_signal", _yes),
    "entry max age":       ("pair",     "entry_max_age_s",     _seconds),
    "entry max deviation": ("pair",     "entry_max_deviation", _amount),
    "entry attempts":      ("pair",     "entry_attempts",      int),
    "cooldown":            ("pair",     "cooldown_s",          _seconds),
    "max pair exposure":   ("pair",     "max_exposure",        _amount),
    "signal expires":      ("pair",     "signal_expires_s",    _seconds),
    "max open deals":      ("limits",   "max_open_deals",      int),
    "max exposure":        ("limits",   "max_exposure",        _amount),
    "max daily loss":      ("limits",   "max_daily_loss",      _amount),
    "stale after":         ("limits",   "stale_after_s",       _seconds),
    "max spread":          ("limits",   "max_spread",          _amount),
    "max price jump":      ("limits",   "max_price_jump",      _amount),
    "amount step":         ("market",   "amount_step",         Decimal),
    "price step":          ("market",   "price_step",          Decimal),
    "least amount":        ("market",   "amount_min",          Decimal),
    "least cost":          ("market",   "cost_min",            _amount),
    "fee":                 ("exchange", "fee",                 _amount),
    "fee in":              ("exchange", "fee_in",              _coin),
    "spread":              ("exchange", "spread",              _amount),
    "slippage":            ("exchange", "slippage",            _amount),
    "balance":             ("exchange", "balances",            lambda text: {"USDT": _amount(text)}),
    "strategy":            ("",         "strategy",            _strategy),
    "tick every":          ("",         "tick_ms",             duration_ms),
    "begin":               ("",         "begin_ms",            _moment_ms),
}
# fmt: on


def read_term(terms: Terms, name: str, value: str) -> Terms:
    """`terms` with one setting changed. Raises ValueError or ArithmeticError."""
    known = _TERMS.get(name)
    if known is None:
        close = get_close_matches(name, _TERMS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(_TERMS)}"
        raise ValueError(f"no such setting; {hint}")
    part, field_name, read = known
    if not part:
        return replace(terms, **{field_name: read(value)})
    return replace(terms, **{part: replace(getattr(terms, part), **{field_name: read(value)})})
