"""The sections of a configuration, each key with its default, its range and its unit."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from dirigent.configuration.values import (
    Amount,
    Count,
    DurationOrZero,
    FractionOrZero,
    NotEmpty,
    NotNegative,
    OptionalAmount,
    OptionalCount,
    OptionalDuration,
    OptionalFraction,
    OptionalGain,
    OptionalPath,
    OptionalPrefix,
    PairSymbol,
    Probability,
    Retention,
    Rotation,
    WholeOrZero,
    refusal,
)
from dirigent.configuration.values import Duration as PositiveDuration


class Section(BaseModel):
    """A table of the file: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ExchangeSettings(Section):
    id: str = Field(default="paper", min_length=1, description="paper, or any ccxt id")
    key_file: OptionalPath = Field(
        default=None, description="file with apiKey and secret as TOML, readable by its owner only"
    )
    private_key_file: OptionalPath = Field(
        default=None, description="Ed25519 or RSA key in PEM in place of the secret, its owner's only"
    )
    keyring: OptionalPath = Field(
        default=None, description="service in the system keyring that holds apiKey and secret"
    )
    key_variables: OptionalPrefix = Field(
        default=None, description='such as "BINANCE" for $BINANCE_API_KEY and $BINANCE_SECRET'
    )
    options: dict[str, Any] = Field(
        default={}, repr=False, description="given to the exchange's constructor as they stand"
    )


def _currencies(value: Any) -> Any:
    """Currency codes are upper case; the environment may bring them in either."""
    return {key.upper(): amount for key, amount in value.items()} if isinstance(value, dict) else value


class PaperSection(Section):
    seed: WholeOrZero = Field(
        default=1, description="of the synthetic market: the same seed, the same prices"
    )
    balances: Annotated[dict[str, NotNegative], BeforeValidator(_currencies)] = Field(
        default={"USDT": Decimal(10000)}, description="amount by currency with which the account begins"
    )
    fee: FractionOrZero = Field(default=Decimal("0.001"), description="fraction of each trade")
    fee_in: Literal["quote", "base"] = Field(
        default="quote", description="currency in which a purchase pays it: quote | base"
    )
    spread: FractionOrZero = Field(
        default=Decimal("0.0002"), description="fraction of the price between bid and ask"
    )
    slippage: FractionOrZero = Field(
        default=Decimal("0.0001"), description="fraction by which a market order fills worse than bid or ask"
    )
    partial_fill_probability: Probability = Field(
        default=0.0, description="chance, from 0 to below 1, that a fill is partial"
    )
    latency_ms_min: WholeOrZero = Field(
        default=10, description="milliseconds, the shortest way of a request or an answer"
    )
    latency_ms_max: WholeOrZero = Field(default=50, description="milliseconds, the longest way")
    ticks_per_s: DurationOrZero = Field(
        default=10, description="ticks a second and symbol; 0 is as fast as they are asked for"
    )

    @model_validator(mode="after")
    def _latency_is_a_range(self) -> Self:
        if self.latency_ms_min > self.latency_ms_max:
            raise refusal(
                f"more than latency_ms_max, which is {self.latency_ms_max}",
                "make it at most latency_ms_max",
                "latency_ms_min",
            )
        return self


class StrategyChoice(Section):
    """One strategy of a pair, with its weight among the others and its parameters."""

    name: str = Field(description="name of a strategy, or a file of yours: ./mine.py:Mine")
    weight: PositiveDuration = Field(default=1, description="weight of its vote")
    params: dict[str, Any] = Field(default={}, description="parameters of the strategy")
    watch: bool = Field(
        default=False, description="whether saving the strategy's file swaps it in while the engine runs"
    )

    @field_validator("name")
    @classmethod
    def _name_is_known(cls, name: str) -> str:
        from dirigent import strategies_from_files
        from services.strategies import catalogue

        if strategies_from_files.is_file(name):
            name = strategies_from_files.anchored(name, Path.cwd())
            try:
                strategies_from_files.kind_named(name)
            except strategies_from_files.StrategyFileError as error:
                raise refusal(error.fault_with_place, error.remedy) from None
        elif name not in catalogue.names():
            raise refusal(
                "no such strategy",
                f"{nearest(name, list(catalogue.names()))}, or name a file: ./mine.py:Mine",
            )
        return name

    @model_validator(mode="after")
    def _parameters_are_taken(self) -> Self:
        from dirigent import strategies_from_files
        from services.strategies.base import StrategyError

        if self.watch and not strategies_from_files.is_file(self.name):
            raise refusal("a built-in strategy has no file to watch", "remove watch, or name a file", "watch")
        try:
            strategies_from_files.tried(self.name, self.params)
        except StrategyError as error:
            wrong = next((key for key in self.params if f" {key} = " in str(error)), None)
            below = ("params", wrong) if wrong else ("params",)
            raise refusal(str(error), "correct the parameter", *below) from None
        return self


class PairSection(Section):
    symbol: PairSymbol = Field(description="market as BASE/QUOTE; one quote currency an engine")
    strategy: Annotated[tuple[StrategyChoice, ...], NotEmpty] = Field(
        default=(StrategyChoice.model_construct(name="macd", weight=1, params={}),),
        description="name of a strategy, or a list of { name, weight, params }",
    )
    deal_quota: Amount = Field(default=Decimal(100), description="quote currency spent on one deal")
    max_deals: Count = Field(default=1, description="deals open at once")
    order_type: Literal["market", "limit"] = Field(
        default="market", description="of the entry: market | limit"
    )
    take_profit: OptionalGain = Field(
        default=None, description="fraction above the entry price at which it sells"
    )
    stop_loss: OptionalFraction = Field(
        default=None, description="fraction below the entry price at which it sells"
    )
    trailing_stop: OptionalFraction = Field(
        default=None, description="fraction below the highest price since it opened"
    )
    max_hold_s: OptionalDuration = Field(default=None, description="seconds after which a position is sold")
    exit_on_sell_signal: bool = Field(
        default=True, description="whether a sell signal closes the pair's positions"
    )
    entry_max_age_s: PositiveDuration = Field(
        default=300, description="seconds after which a resting entry is placed anew"
    )
    entry_max_deviation: OptionalFraction = Field(
        default=Decimal("0.03"),
        description="fraction the price may move away before the entry is placed anew",
    )
    entry_attempts: Count = Field(default=3, description="how often an entry is placed before it is given up")
    cooldown_s: DurationOrZero = Field(default=0, description="seconds of pause after a deal of this pair")
    max_exposure: OptionalAmount = Field(
        default=None, description="quote currency bound in this pair at most"
    )
    signal_expires_s: PositiveDuration = Field(
        default=30, description="seconds for which a signal may still be acted on"
    )

    @field_validator("strategy")
    @classmethod
    def _they_sit_together(cls, strategy: tuple[StrategyChoice, ...]) -> tuple[StrategyChoice, ...]:
        from dirigent import strategies_from_files
        from services.strategies.base import StrategyError

        if len(strategy) > 1:
            try:
                strategies_from_files.tried_together((choice.name, choice.params) for choice in strategy)
            except StrategyError as error:
                fault, _, remedy = str(error).partition(": ")[2].partition("; ")
                raise refusal(fault, remedy) from None
        return strategy

    @model_validator(mode="before")
    @classmethod
    def _one_name_is_a_list_of_one(cls, written: Any) -> Any:
        """`strategy = "macd"` with `params` beside it means the list of that one strategy."""
        if not isinstance(written, dict):
            return written
        pair = dict(written)
        strategy = pair.get("strategy")
        if isinstance(strategy, str):
            beside = {key: pair.pop(key) for key in ("params", "watch") if key in pair}
            pair["strategy"] = [{"name": strategy, **beside}]
        elif "params" in pair:
            raise refusal(
                "parameters without the one strategy they belong to",
                "name one strategy, or write the params into the list",
                "params",
            )
        elif "watch" in pair:
            raise refusal(
                "not said of which strategy", "name one strategy, or write watch into the list", "watch"
            )
        return pair


class RiskSection(Section):
    max_open_deals: Count = Field(default=10, description="deals open at once, all pairs together")
    max_exposure: OptionalAmount = Field(
        default=None, description="quote currency bound in all pairs together"
    )
    max_daily_loss: OptionalAmount = Field(
        default=None, description="quote currency lost in a day (UTC), then exits only"
    )
    stale_after_s: PositiveDuration = Field(
        default=30, description="seconds after which a price is too old to enter on"
    )
    max_spread: OptionalFraction = Field(
        default=Decimal("0.01"), description="fraction between bid and ask to enter at"
    )
    max_price_jump: OptionalFraction = Field(
        default=Decimal("0.2"), description="fraction between two ticks to enter after"
    )
    max_drawdown: OptionalFraction = Field(
        default=None, description="fraction below the highest equity at which the engine is halted"
    )
    max_orders_per_minute: OptionalCount = Field(
        default=None, description="orders in a minute, exits counted, before entries have to wait"
    )
    fee_reserve: FractionOrZero = Field(
        default=Decimal("0.002"), description="fraction of a deal that must be left for fees and slippage"
    )


class StrategiesSection(Section):
    """How users' strategies are held to their time, and how strategies are swapped while the engine runs."""

    budget_ms: PositiveDuration = Field(
        default=5, description="milliseconds a user's strategy may take of a price, else it is stopped"
    )
    recent_samples: Count = Field(
        default=1000, description="prices of each pair kept to warm up what is swapped in, 32 bytes each"
    )
    shadow_samples: Count = Field(
        default=100, description="prices for which a new strategy votes without trading"
    )
    probation_samples: Count = Field(
        default=600, description="prices for which the old strategy watches on, to come back at once"
    )


class LoggingSection(Section):
    level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="TRACE | DEBUG | INFO | WARNING | ERROR"
    )
    file: OptionalPath = Field(default=None, description="path of the log file")
    rotation: Rotation = Field(
        default="10 MB", description="size, interval or time of day that begins a new file"
    )
    retention: Retention = Field(default="10 days", description="how long old files are kept")
    json_lines: bool = Field(
        default=False, alias="json", description="one JSON object a line instead of text"
    )


def nearest(wrong: str, known: list[str]) -> str:
    """A remedy: the known word most like the wrong one, or all of them."""
    from difflib import get_close_matches

    close = get_close_matches(wrong.lower(), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(sorted(known))}"
