"""The commands that change what is traded and how: pairs-add, pairs-remove, reload."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from dirigent.configuration.problems import SettingsError
from dirigent.configuration.sections import PairSection
from dirigent.configuration.settings import Settings
from dirigent.steering.commanded_pairs import added_in, facts_of, removed_in, with_commanded_pairs
from dirigent.steering.pair_set import PairSet
from dirigent.steering.permissions import REMOVED
from dirigent.steering.plans import Plan, Result, done, note, refused, says
from dirigent.steering.reloading import Configuration, reload
from dirigent.venues import Refused
from dirigent.wiring import Engine
from fsm.pair import CONFIGURED
from fsm.permission import ACTIVE, ENTRIES_STOPPED, EXITS_ONLY, RESUMED
from fsm.records import PairRecord, PermissionRecord
from persistence.commands import Command
from services.strategies.base import StrategyError
from services.turns.turn import Turn


@dataclass(slots=True)
class PairCommands:
    """Needs more than an orchestrator: the engine's parts, and the settings that hold now."""

    engine: Engine
    pairs: PairSet
    settings: Settings
    configuration: Configuration | None
    """None where there is nothing to read again."""

    async def add(self, command: Command) -> Plan:
        """`pairs`: sections as the configuration has them. All of them, or none."""
        try:
            sections = [PairSection.model_validate(one) for one in command.arguments["pairs"]]
        except ValidationError as error:
            return says(refused(f"not a pair: {error.errors(include_url=False)[0]['msg']}"))
        refusals = [refusal for section in sections if (refusal := self.pairs.refusal(section))]
        if refusals:
            return says(refused("; ".join(refusals)))
        try:
            described = {section.symbol: self.pairs.admit(section) for section in sections}
        except BaseException as error:  # anybody's code may have raised it: none of the pairs comes
            for section in sections:
                self.pairs.withdraw(section.symbol)
            if isinstance(error, StrategyError):
                return says(refused(str(error)))
            raise
        facts = self.engine.state.facts
        added = {**added_in(facts), **{section.symbol: section for section in sections}}
        remembered = facts_of(added.values(), removed_in(facts) - described.keys())

        def work(turn: Turn) -> Result:
            turn.facts.update(remembered)
            self._configure(turn, described, note(command, "adds the pair"))
            for symbol in described:
                self._bring_back(turn, symbol, note(command, "adds it again"))
            words = [f"traded from now on: {', '.join(described)}; kept over restarts"]
            stopped = [turn.permission(symbol) for symbol in described]
            words += [
                f"{one.scope} stays {one.state}: {one.reason}; `dirigent resume {one.scope}` lifts it"
                for one in stopped
                if one.state != ACTIVE
            ]
            return done("; ".join(words))

        def then() -> None:
            self._traded({**{pair.symbol: pair for pair in self.settings.pairs}, **added}.values(), described)

        return Plan(work, then=then)

    def _traded(self, sections: Iterable[PairSection], begun: Iterable[str]) -> None:
        for symbol in begun:
            self.pairs.begin(symbol)
        kept = tuple(section for section in sections if self.pairs.is_traded(section.symbol))
        self.settings = self.settings.model_copy(update={"pairs": kept})

    def _bring_back(self, turn: Turn, symbol: str, why: str) -> None:
        if turn.permission(symbol).reason == REMOVED:
            turn.raise_event("permission", symbol, RESUMED, None, why)
            self.engine.orchestrator.run(turn)

    async def remove(self, command: Command) -> Plan:
        symbol = str(command.arguments["symbol"])
        if not self.pairs.is_traded(symbol):
            return says(refused(f"{symbol} is not traded; see `dirigent pairs`"))
        if self.pairs.traded == [symbol]:
            return says(refused(f"{symbol} is the last pair: halt the engine, or stop it"))
        described = {symbol: self.pairs.dismiss(symbol)}
        facts = self.engine.state.facts
        added = added_in(facts)
        added.pop(symbol, None)
        remembered = facts_of(added.values(), removed_in(facts) | {symbol})

        def work(turn: Turn) -> Result:
            turn.facts.update(remembered)
            self._configure(turn, described, note(command, "removes the pair"))
            self._stop_entries(turn, [symbol], note(command, "removes the pair"))
            living = sum(1 for _ in turn.positions_of(symbol))
            return done(f"{symbol} enters no more and is gone when flat; positions that live: {living}")

        def then() -> None:
            self.pairs.begin_leaving(symbol)
            self._traded(self.settings.pairs, ())

        return Plan(work, then=then)

    def _stop_entries(self, turn: Turn, symbols: Iterable[str], why: str) -> None:
        for symbol in symbols:
            turn.raise_event("permission", symbol, ENTRIES_STOPPED, _removed, why)
        self.engine.orchestrator.run(turn)

    def _configure(self, turn: Turn, described: dict[str, str], why: str) -> None:
        for symbol, strategy in described.items():
            turn.raise_event("pair", symbol, CONFIGURED, _decided_by(strategy), why)
        self.engine.orchestrator.run(turn)

    async def reload(self, command: Command) -> Plan:
        """The files are read anew; what commands did to the pairs stays."""
        if self.configuration is None:
            return says(refused("this engine was not started from a configuration"))
        try:
            new = with_commanded_pairs(self.configuration.read(), self.engine.state.facts)
            found = reload(self.settings, new, self.engine, self.pairs, self.configuration)
        except (SettingsError, Refused, StrategyError) as error:
            return says(refused(f"nothing was changed: {error}"))

        def work(turn: Turn) -> Result:
            why = note(command, "reloads the configuration")
            self._configure(turn, found.described, why)
            self._stop_entries(turn, found.left, why)
            for symbol in found.arrived:
                self._bring_back(turn, symbol, why)
            return done(found.words)

        def then() -> None:
            for symbol in found.left:
                self.pairs.begin_leaving(symbol)
            self.settings = found.effective
            for symbol in found.arrived:
                self.pairs.begin(symbol)

        return Plan(work, then=then)


def _removed(permission: PermissionRecord) -> None:
    permission.reason = REMOVED
    if permission.state == EXITS_ONLY:
        permission.due_at_ms = None


def _decided_by(strategy: str) -> Callable[[PairRecord], None]:
    def update(pair: PairRecord) -> None:
        pair.strategy = strategy

    return update
