"""The small world of one history: its pairs, their rules, what the exchange demands and charges; by seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from services.exchanges.matching import Terms as ExchangeTerms
from services.messages import MarketRules, PairRules, RiskLimits

QUOTE = "USDT"
_BASES = ("AAA", "BBB", "CCC")


@dataclass(frozen=True, slots=True)
class Silent:
    """The strategy of every pair: signals come from outside."""

    name: str = "external"
    weight: float = 1.0
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    market: dict[str, MarketRules]
    rules: dict[str, PairRules]
    limits: RiskLimits
    exchange: ExchangeTerms
    money: Decimal
    late_arrival_ms: int
    tells_all_trades: bool
    """Whether a report of the stream holds all trades of its order, or the latest only."""
    reconcile_every_s: float | None
    """None where nobody reconciles: the order protocol has to hold by itself, too."""
    unknown_escalates_s: float
    tick_s: float
    volatility_steps: int
    commands_every_s: float | None
    """How often a person commands; None where nobody does."""

    @property
    def symbols(self) -> list[str]:
        return list(self.rules)


def draw_terms(seed: int) -> Terms:
    dice = Random(f"{seed}:terms")
    symbols = [f"{base}/{QUOTE}" for base in _BASES[: dice.choice((1, 1, 2, 3))]]
    cost_min = Decimal(dice.choice(("0", "5", "5", "10")))
    return Terms(
        market={symbol: _market(dice, symbol, cost_min) for symbol in symbols},
        rules={symbol: _rules(dice, symbol) for symbol in symbols},
        limits=RiskLimits(
            max_open_deals=dice.choice((2, 10)),
            stale_after_s=dice.choice((5.0, 30.0)),
            max_daily_loss=dice.choice((None, None, Decimal(20))),
        ),
        exchange=ExchangeTerms(
            fee=Decimal(dice.choice(("0", "0.001", "0.01"))),
            fee_in=dice.choice(("quote", "base")),
            slippage=Decimal(dice.choice(("0", "0.001"))),
            partial_fill_probability=dice.choice((0.0, 0.3, 0.7)),
        ),
        money=Decimal(dice.choice((60, 300, 10_000))),
        late_arrival_ms=dice.choice((3_000, 8_000, 15_000)),
        tells_all_trades=dice.random() < 0.5,
        reconcile_every_s=dice.choice((None, 20.0, 300.0)),
        unknown_escalates_s=dice.choice((5.0, 300.0)),
        tick_s=dice.choice((0.5, 1.0, 2.0)),
        volatility_steps=dice.choice((2, 6, 15)),
        commands_every_s=dice.choice((None, None, 6.0)),
    )


def _market(dice: Random, symbol: str, cost_min: Decimal) -> MarketRules:
    step = Decimal(dice.choice(("0.01", "0.1", "1")))
    return MarketRules(
        symbol, step, Decimal("0.01"), amount_min=step * dice.choice((0, 1, 3)), cost_min=cost_min
    )


def _rules(dice: Random, symbol: str) -> PairRules:
    return PairRules(
        symbol=symbol,
        deal_quota=Decimal(dice.choice((11, 20, 50, 100))),
        max_deals=dice.choice((1, 1, 2, 3)),
        order_type=dice.choice(("market", "limit", "limit")),
        take_profit=dice.choice((None, Decimal("0.01"), Decimal("0.03"))),
        stop_loss=dice.choice((None, Decimal("0.01"), Decimal("0.05"))),
        trailing_stop=dice.choice((None, None, Decimal("0.01"))),
        max_hold_s=dice.choice((None, 15.0, 60.0)),
        exit_on_sell_signal=dice.random() < 0.8,
        entry_max_age_s=dice.choice((5.0, 20.0, 60.0)),
        entry_max_deviation=dice.choice((None, Decimal("0.003"), Decimal("0.02"))),
        entry_attempts=dice.choice((1, 3, 5)),
        cooldown_s=dice.choice((0.0, 0.0, 5.0)),
        signal_expires_s=dice.choice((3.0, 30.0)),
    )
