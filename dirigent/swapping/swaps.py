"""Swaps of the running engine: begun by command, kept over a death until their end is journaled."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loguru import logger
from pydantic import ValidationError

from dirigent import strategies_from_files
from dirigent.configuration.sections import StrategiesSection, StrategyChoice
from dirigent.configuration.settings import Settings
from dirigent.steering.plans import Plan, Result, done, refused, says
from dirigent.swapping.kept import chosen_text
from dirigent.wiring import Engine
from fsm.permission import ENGINE_SUBJECT
from fsm.position import EXIT_TRIGGERED, OPEN, ORDERING
from fsm.records import PositionRecord
from fsm.values import ExitReason
from persistence.commands import Command
from services.signal_aggregation import WeightedStrategy
from services.strategies.base import StrategyError
from services.strategy_changes import WANTED, fact_name
from services.swapping import Swapper, Terms
from services.tasks import end_tasks
from services.turns.turn import Turn

CONFIGURED = "configured"
"""In place of a strategy's name: those that the configuration names."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A swap that was asked for and has not ended yet."""

    choices: tuple[StrategyChoice, ...]
    shadow_samples: int
    by: str
    sells: bool
    """Whether what is open is sold with the swap; else it keeps the exit rules it was opened with."""
    text: str
    """As the store keeps it."""


class Swaps:
    """Needs the settings as they are now: what the configuration names is what a swap replaces."""

    def __init__(self, engine: Engine, settings: Callable[[], Settings]) -> None:
        self.engine = engine
        self.swapper = Swapper(engine.orchestrator)
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def terms(self) -> StrategiesSection:
        return self._settings().strategies

    def configured(self, symbol: str) -> tuple[StrategyChoice, ...]:
        """Empty for a pair that only leaves."""
        return next((pair.strategy for pair in self._settings().pairs if pair.symbol == symbol), ())

    async def command(self, command: Command) -> Plan:
        """`symbols`, `strategy`, and perhaps `params` and `shadow`: puts the strategy on trial, and answers at once.

        The symbol `all` is every pair that is traded when the command is carried out.
        """
        arguments = command.arguments
        symbols = [str(one) for one in arguments["symbols"]]
        if symbols == ["all"]:
            symbols = [pair.symbol for pair in self._settings().pairs]
        unknown = [symbol for symbol in symbols if not self.configured(symbol)]
        if unknown:
            return says(refused(f"not traded: {', '.join(unknown)}; see `dirigent pairs`"))
        by = f"person {command.person} (command {command.id})"
        try:
            wanted = {symbol: self._wanted(symbol, arguments, by) for symbol in symbols}
        except (ValidationError, StrategyError) as error:
            return says(refused(f"nothing was changed: {_told(error)}"))

        def work(turn: Turn) -> Result:
            turn.facts.update({_wanted_fact(symbol): one.text for symbol, one in wanted.items()})
            samples = max(one.shadow_samples for one in wanted.values())
            return done(
                f"on trial for {samples} prices beside what trades: {', '.join(symbols)};"
                " the journal tells how it ends"
            )

        def then() -> None:
            for symbol, one in wanted.items():
                self._begin(symbol, one)

        return Plan(work, symbols[0] if len(symbols) == 1 else ENGINE_SUBJECT, then)

    def _wanted(self, symbol: str, arguments: Mapping[str, Any], by: str) -> Wanted:
        name = str(arguments["strategy"])
        if name == CONFIGURED:
            choices = self.configured(symbol)
        else:
            params = arguments.get("params") or {}
            choices = (StrategyChoice.model_validate({"name": name, "params": params}),)
        shadow = int(arguments.get("shadow") or self.terms.shadow_samples)
        listed = [choice.model_dump(mode="json") for choice in choices]
        sells = arguments.get("exits") == "sell"
        kept = {"choices": listed, "shadow": shadow, "by": by, "sells": sells}
        return Wanted(choices, shadow, by, sells, json.dumps(kept, separators=(",", ":")))

    async def go_on(self) -> None:
        """At a start: what no longer counts is forgotten, and swaps that a death cut short begin anew."""
        facts = self.engine.state.facts
        stale = {
            fact_name(symbol): panel.chosen
            for symbol in self.engine.symbols
            if facts.get(fact_name(symbol), "") != (panel := self.engine.signals.panel(symbol)).chosen
        }
        if stale:
            await self.engine.orchestrator.transact(ENGINE_SUBJECT, lambda turn: turn.facts.update(stale))
        for symbol in self.engine.symbols:
            text = facts.get(_wanted_fact(symbol))
            if text:
                await self._begin_again(symbol, text)

    async def _begin_again(self, symbol: str, text: str) -> None:
        written = json.loads(text)
        try:
            choices = tuple(StrategyChoice.model_validate(one) for one in written["choices"])
        except ValidationError as error:
            gone = Wanted((), 0, written["by"], False, text)
            await self.swapper.refuse(symbol, Terms(by=gone.by), _told(error), self._settled(symbol, gone))
            return
        self._begin(symbol, Wanted(choices, written["shadow"], written["by"], written["sells"], text))

    def _begin(self, symbol: str, wanted: Wanted) -> None:
        task = asyncio.get_running_loop().create_task(self._swap(symbol, wanted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _swap(self, symbol: str, wanted: Wanted) -> None:
        also = self._settled(symbol, wanted)
        terms = self._terms(symbol, wanted)
        try:
            weighted = made(wanted.choices)
        except StrategyError as error:
            await self.swapper.refuse(symbol, terms, str(error), also)
            return
        swapped = await self.swapper.swap(symbol, weighted, terms, also)
        if not swapped.taken:
            logger.bind(event="swap_ended", symbol=symbol, because=swapped.because).info("swap_ended")

    def _terms(self, symbol: str, wanted: Wanted) -> Terms:
        return Terms(
            shadow_samples=wanted.shadow_samples,
            probation_samples=self.terms.probation_samples,
            by=wanted.by,
            chosen=chosen_text(self.configured(symbol), wanted.choices),
        )

    def _settled(self, symbol: str, wanted: Wanted) -> Callable[[Turn, str, bool], None]:
        """In the commit that ends a swap the wish for it goes, unless another one has taken its place."""

        def also(turn: Turn, words: str, taken: bool) -> None:
            if self.engine.state.facts.get(_wanted_fact(symbol)) == wanted.text:
                turn.facts[_wanted_fact(symbol)] = ""
            if taken and wanted.sells:
                for position in list(turn.positions_of(symbol)):
                    if position.state in (OPEN, ORDERING) and not position.exit_reason:
                        turn.raise_event("position", position.id, EXIT_TRIGGERED, _by_force, words)

        return also

    async def end(self) -> None:
        """Swaps that are under way begin anew at the next start."""
        await end_tasks(self._tasks)


def made(choices: Sequence[StrategyChoice]) -> list[WeightedStrategy]:
    """Raises StrategyError."""
    return [
        WeightedStrategy(strategies_from_files.create(choice.name, choice.params), float(choice.weight))
        for choice in choices
    ]


def _by_force(position: PositionRecord) -> None:
    position.exit_reason = ExitReason.FORCE


def _wanted_fact(symbol: str) -> str:
    return f"{WANTED}{symbol}"


def _told(error: ValidationError | StrategyError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            "; ".join(filter(None, (one["msg"], one.get("ctx", {}).get("remedy", ""))))
            for one in error.errors(include_url=False)
        )
    return str(error)
