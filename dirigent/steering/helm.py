"""The helm of a running engine: its commands, the set of its pairs and their feeds, put together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dirigent.configuration.settings import Settings
from dirigent.steering import deals, permissions
from dirigent.steering.feeds import Feeds
from dirigent.steering.pair_commands import PairCommands
from dirigent.steering.pair_set import PairSet
from dirigent.steering.plans import Plan
from dirigent.steering.reloading import Configuration
from dirigent.steering.steering import Handler, Steering
from dirigent.swapping.swaps import Swaps
from dirigent.venues import Venue
from dirigent.wiring import Engine
from persistence.commands import Command, Inbox, inbox_path
from persistence.store import SqliteStore
from services.trading_orchestrator import TradingOrchestrator

LOOK_S = 0.1
"""The pause between two looks at the inbox: with it a halt is in force well within a second."""

Prepare = Callable[[TradingOrchestrator, Command], Plan]

_CORE: dict[str, Prepare] = {
    "halt": permissions.halt,
    "stop-entry": permissions.stop_entry,
    "resume": permissions.resume,
    "force-exit": deals.force_exit,
    "force-enter": deals.force_enter,
    "cancel-order": deals.cancel_order,
}


def core_handlers(orchestrator: TradingOrchestrator) -> dict[str, Handler]:
    """The commands that need nothing but an orchestrator."""
    return {kind: partial(_prepared, prepare, orchestrator) for kind, prepare in _CORE.items()}


async def _prepared(prepare: Prepare, orchestrator: TradingOrchestrator, command: Command) -> Plan:
    return prepare(orchestrator, command)


@dataclass(frozen=True, slots=True)
class Helm:
    """A further kind of command is one more entry of `steering.handlers`."""

    steering: Steering
    pairs: PairSet
    feeds: Feeds
    inbox: Inbox
    swaps: Swaps

    async def keep(self) -> None:
        """Obeys until it is cancelled; raises what a feed begun here raised."""
        try:
            while True:
                await self.steering.obey()
                self.pairs.tidy()
                self.feeds.raise_faults()
                await asyncio.sleep(LOOK_S)
        finally:
            await self.swaps.end()
            await self.feeds.end()
            self.inbox.close()


def helm(
    settings: Settings,
    engine: Engine,
    exchange: Venue,
    store: SqliteStore,
    configuration: Configuration | None = None,
) -> Helm:
    """`settings` are those the engine was built from."""
    feeds = Feeds(exchange, engine.orchestrator, engine.risk.rules, engine.symbols)
    pairs = PairSet(engine, exchange, feeds, [pair.symbol for pair in settings.pairs])
    commands = PairCommands(engine, pairs, settings, configuration)
    swaps = Swaps(engine, lambda: commands.settings)
    inbox = Inbox(inbox_path(store.path))
    handlers: dict[str, Handler] = {
        **core_handlers(engine.orchestrator),
        "pairs-add": commands.add,
        "pairs-remove": commands.remove,
        "reload": commands.reload,
        "swap": swaps.command,
    }
    return Helm(Steering(engine.orchestrator, inbox, store, handlers), pairs, feeds, inbox, swaps)
