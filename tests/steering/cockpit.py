"""An engine under command: the real services, store and inbox over the paper exchange; prices and time are given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from dirigent.assembly import all_rules, assemble
from dirigent.configuration.settings import Settings, load_settings
from dirigent.steering.commanded_pairs import with_commanded_pairs
from dirigent.steering.helm import Helm, helm
from dirigent.steering.reloading import Configuration
from dirigent.wiring import Engine
from fsm.records import PositionRecord
from persistence import commands
from persistence.commands import Answer, Command
from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.exchanges.paper import PaperExchange, PaperSettings
from services.exchanges.price_point import PricePoint
from services.messages import OrderNews
from services.resumption import resume

START_MS = 1_700_000_000_000
BTC, ETH, LTC = "BTC/USDT", "ETH/USDT", "LTC/USDT"
CONFIGURATION = """
[[pairs]]
symbol = "BTC/USDT"
strategy = "external"
[[pairs]]
symbol = "ETH/USDT"
strategy = "external"
order_type = "limit"
stop_loss = "0.1"
"""
AT_ONCE = PaperSettings(
    latency_ms=(0, 0), ticks_per_s=0, slippage=Decimal(0), balances={"USDT": Decimal(1000)}
)


@dataclass(slots=True)
class Prices:
    last: dict[str, Decimal] = field(default_factory=dict)

    def next_point(self, symbol: str) -> PricePoint | None:
        price = self.last.get(symbol)
        return None if price is None else PricePoint(symbol, price, price, price)


@dataclass(slots=True)
class Cockpit:
    """One life of an engine. Its database, exchange and configuration outlive it."""

    engine: Engine
    helm: Helm
    store: SqliteStore
    exchange: PaperExchange
    prices: Prices
    clock: GivenClock
    logged: list[Settings]
    """Each time the logging was set anew."""

    def give(self, kind: str, /, life_ms: int | None = None, **arguments: Any) -> Command:
        return give(self.store.path, kind, self.clock.now_ms(), life_ms, **arguments)

    async def obey(self) -> None:
        await self.helm.steering.obey()
        self.helm.pairs.tidy()

    async def command(self, kind: str, /, **arguments: Any) -> Answer:
        """Gives it and has it carried out."""
        given = self.give(kind, **arguments)
        await self.obey()
        answer = commands.answer_to(self.store.path, given.id)
        assert answer is not None, "it was not answered"
        return answer

    async def tick(self, symbol: str, price: str) -> None:
        """A price, and everything that follows from it at the exchange."""
        self.prices.last[symbol] = Decimal(price)
        self.clock.set(self.clock.now_ms() + 1)
        await self.engine.orchestrator.process_market_tick(await self.exchange.watch_ticker(symbol))
        await self.settle()

    async def settle(self) -> None:
        await self.engine.state.settle()
        for report in await self.exchange.watch_orders() if self.exchange._reports else ():
            self.engine.state.deliver(OrderNews(report.client_order_id, report.symbol, report))
        await self.engine.orchestrator.update_open_positions()
        await self.engine.state.settle()

    async def buy(self, symbol: str, identity: str) -> bool:
        signal = {"id": identity, "symbol": symbol, "at": self.clock.now_ms()}
        decision = await self.engine.orchestrator.handle_buy_signal(signal)
        await self.settle()
        return decision.taken

    def positions(self, symbol: str) -> list[PositionRecord]:
        return list(self.engine.state.working.positions_of(symbol))

    def permission(self, scope: str) -> str:
        return self.engine.state.working.permissions[scope].state


def give(
    database: Path, kind: str, now_ms: int = START_MS, life_ms: int | None = None, **arguments: Any
) -> Command:
    return commands.give(database, kind, arguments, "Ada", now_ms=now_ms, life_ms=life_ms)


@asynccontextmanager
async def cockpit(
    folder: Path, configuration: str = CONFIGURATION, *, now_ms: int = START_MS
) -> AsyncIterator[Cockpit]:
    """A start in this folder; a second one there is a restart."""
    file = folder / "dirigent.toml"
    file.write_text(configuration, encoding="utf-8")
    clock, prices, logged = GivenClock(now_ms), Prices(), list[Settings]()
    source = Configuration(lambda: load_settings([file], environment={}), logged.append)
    with SqliteStore.open(folder / "engine.sqlite") as store:
        stored = store.load()
        settings = with_commanded_pairs(source.read(), stored.facts)
        rules = all_rules(settings, stored)
        path = folder / "exchange.sqlite"
        exchange = PaperExchange(path, symbols=list(rules), settings=AT_ONCE, clock=clock, prices=prices)
        await exchange.open()
        engine = assemble(settings, rules, store, exchange, clock)
        held = helm(settings, engine, exchange, store, source)
        first = held.steering.obey_permissions
        await resume(engine.orchestrator, exchange, stored, engine.symbols, first=first)
        try:
            yield Cockpit(engine, held, store, exchange, prices, clock, logged)
        finally:
            await held.feeds.end()
            held.inbox.close()
            await exchange.close()
