"""The configuration as one checked, frozen object: flags before environment before files before defaults."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dirigent.configuration.layers import Layer, environment_layer, file_layer
from dirigent.configuration.monitoring_sections import AlertsSection, MetricsSection
from dirigent.configuration.problems import Problem, SettingsError
from dirigent.configuration.report import locate, problems_in
from dirigent.configuration.sections import (
    ExchangeSettings,
    LoggingSection,
    PairSection,
    PaperSection,
    RiskSection,
    StrategiesSection,
    StrategyChoice,
)
from dirigent.configuration.values import Duration, NotEmpty, NotNegative
from fsm.values import quote_of
from services.messages import PairRules, RiskLimits

if TYPE_CHECKING:
    from services.exchanges.paper import PaperSettings

DEFAULT_FILE = "dirigent.toml"

_LAYERS: ContextVar[tuple[Layer, ...]] = ContextVar("layers", default=())


def demonstration_pairs() -> tuple[PairSection, ...]:
    """What is traded without any configuration: short averages and near exits, so that deals close soon."""
    return tuple(
        PairSection(
            symbol=symbol,
            strategy=(StrategyChoice(name="sma_cross", weight=1, params={}),),
            take_profit=Decimal("0.003"),
            stop_loss=Decimal("0.004"),
            max_hold_s=60,
        )
        for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    )


class Settings(BaseSettings):
    """Everything that can be configured. `load_settings` adds the checks across sections."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    mode: Literal["paper", "live"] = Field(default="paper", description="paper | live")
    database: str = Field(
        default="dirigent.sqlite",
        min_length=1,
        description="the engine's memory: paper and live never share one",
    )
    reconcile_every_s: Duration = Field(
        default=300, description="seconds between two comparisons of the books with the exchange's"
    )
    reconcile_tolerance: NotNegative = Field(
        default=Decimal("0.01"),
        description="quote currency by which a real account may differ without a word",
    )
    unknown_escalates_s: Duration = Field(
        default=300,
        description="seconds an order may stay unknown before its pair stops and a person is asked",
    )
    exchange: ExchangeSettings = Field(default=ExchangeSettings(), description="[exchange]")
    paper: PaperSection = Field(default=PaperSection(), description="[paper]: the simulated exchange")
    pairs: Annotated[tuple[PairSection, ...], NotEmpty] = Field(
        default_factory=demonstration_pairs,
        description="[[pairs]]: one table for each traded market",
    )
    risk: RiskSection = Field(default=RiskSection(), description="[risk]: limits over all pairs together")
    strategies: StrategiesSection = Field(
        default=StrategiesSection(), description="[strategies]: of users' files, and their exchange"
    )
    logging: LoggingSection = Field(default=LoggingSection(), description="[logging]")
    metrics: MetricsSection = Field(
        default=MetricsSection(), description="[metrics]: figures for Prometheus to scrape"
    )
    alerts: AlertsSection = Field(default=AlertsSection(), description="[alerts]: messages to people")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the layers that `load_settings` read; a plain `Settings()` is the defaults."""
        layers = (InitSettingsSource(settings_cls, dict(layer.values)) for layer in _LAYERS.get())
        return (init_settings, *layers)


def load_settings(
    files: Sequence[str | Path] = (),
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of these files (a later one wins) under the environment under `overrides`, the flags.

    Raises SettingsError with every problem found.
    """
    read: list[Layer] = []
    problems: list[Problem] = []
    for name in files:
        try:
            read.append(file_layer(Path(name)))
        except SettingsError as error:
            problems += error.problems
    surroundings, bad_variables = environment_layer(
        Settings, os.environ if environment is None else environment
    )
    problems += bad_variables
    layers = (Layer("command line", dict(overrides or {})), surroundings, *reversed(read))
    token = _LAYERS.set(layers)
    try:
        settings = Settings()
    except ValidationError as error:
        settings = None
        problems += problems_in(error, Settings, layers)
    finally:
        _LAYERS.reset(token)
    problems += _problems_across(layers)
    if problems or settings is None:
        raise SettingsError(problems)
    return settings


def _effective(layers: Sequence[Layer], *path: str) -> Any:
    """What the strongest layer writes at this path, unchecked; None when none does."""
    for layer in layers:
        reached, value = layer.written(path)
        if reached == len(path):
            return value
    return None


def _problems_across(layers: Sequence[Layer]) -> list[Problem]:
    """Rules between keys. They look at what is written, so that they speak even when other keys are wrong."""
    problems: list[Problem] = []
    pairs = _effective(layers, "pairs")
    if _effective(layers, "mode") == "live":
        if _effective(layers, "exchange", "id") in (None, "paper"):
            missing = ("live trading has no real exchange", "name a ccxt id")
            problems.append(locate(("exchange", "id"), layers, *missing, because_of=("mode",)))
        if pairs is None:
            missing = ("live trading has no pairs", "write [[pairs]] tables")
            problems.append(locate(("pairs",), layers, *missing, because_of=("mode",)))
    if isinstance(pairs, list | tuple):
        problems += _symbol_problems(pairs, layers)
    return problems


def _symbol_problems(pairs: Sequence[Any], layers: Sequence[Layer]) -> Iterable[Problem]:
    seen: dict[str, int] = {}
    engine_quote = ""
    for index, pair in enumerate(pairs):
        symbol = pair.get("symbol") if isinstance(pair, dict) else None
        if not isinstance(symbol, str) or not quote_of(symbol):
            continue
        path = ("pairs", index, "symbol")
        if symbol in seen:
            yield locate(
                path, layers, f"pairs[{seen[symbol] + 1}] trades it already", "keep one of the two tables"
            )
        seen.setdefault(symbol, index)
        engine_quote = engine_quote or quote_of(symbol)
        if quote_of(symbol) != engine_quote:
            yield locate(
                path,
                layers,
                f"a second quote currency: the pairs before it are in {engine_quote}",
                f"trade it in {engine_quote}, or with an engine of its own",
            )


def pair_rules(settings: Settings) -> dict[str, PairRules]:
    """How each pair is traded, by symbol, in the order of the configuration."""
    return {pair.symbol: PairRules(**pair.model_dump(exclude={"strategy"})) for pair in settings.pairs}


def strategy_choices(settings: Settings) -> dict[str, tuple[StrategyChoice, ...]]:
    """The strategies of each pair, by symbol."""
    return {pair.symbol: pair.strategy for pair in settings.pairs}


def risk_limits(settings: Settings) -> RiskLimits:
    return RiskLimits(**settings.risk.model_dump())


def paper_settings(settings: Settings) -> "PaperSettings":
    from services.exchanges.paper import PaperSettings

    section = settings.paper
    values = section.model_dump(exclude={"latency_ms_min", "latency_ms_max"})
    return PaperSettings(**values, latency_ms=(section.latency_ms_min, section.latency_ms_max))
