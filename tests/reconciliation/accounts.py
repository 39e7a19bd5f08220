"""A traded account for tests: a real store and the real paper exchange, whose market and books the test moves."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from dirigent.wiring import Engine, Parts, build
from fsm.records import OrderRecord, PositionRecord
from persistence.store import SqliteStore
from services.clocks import GivenClock
from services.exchanges.paper import PaperExchange, PaperSettings
from services.exchanges.paper_file import audit
from services.exchanges.price_point import PricePoint
from services.messages import OrderNews, OrderReport, OrderRequest, PairRules, QueryFailed
from services.reconciliation.plan import Difference, Kind, Plan
from services.reconciliation.reconciler import Reconciler
from services.resumption import resume
from tests.services.bench import External

ADA, BTC = "ADA/USDT", "BTC/USDT"
NOW_MS = 1_700_000_000_000


class GivenPrices:
    """The prices that the test names, one each time the exchange asks."""

    def __init__(self) -> None:
        self.next: dict[str, Decimal] = {ADA: Decimal(10), BTC: Decimal(50_000)}

    def next_point(self, symbol: str) -> PricePoint | None:
        price = self.next.get(symbol)
        return None if price is None else PricePoint(symbol, price, price, price)


class FlakyExchange(PaperExchange):
    """The paper exchange, with a stream that can fall silent and questions that can fail."""

    deaf = False
    fails = False
    refuses = False
    hides: str = ""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.asked: list[str] = []

    async def create_order(self, request: OrderRequest) -> OrderReport:
        if self.refuses:
            raise TimeoutError("lost on its way")
        report = await super().create_order(request)
        if self.deaf:
            raise TimeoutError("the answer was lost")
        return report

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        self.asked.append(client_order_id)
        if self.fails:
            raise QueryFailed("nobody answers")
        return None if client_order_id == self.hides else await super().fetch_order(client_order_id, symbol)


@dataclass
class Desk:
    """Handles to one running engine and its account."""

    engine: Engine
    exchange: FlakyExchange
    store: SqliteStore
    clock: GivenClock
    prices: GivenPrices
    reconciler: Reconciler
    path: Path
    signals: int = 0

    async def price(self, price: str, symbol: str = ADA, *, heard: bool = True) -> None:
        """The market moves. Unheard, its reports of orders are lost."""
        ticker = await self.move(price, symbol)
        self.hear(lost=not heard)
        await self.update()
        await self.engine.orchestrator.process_market_tick({**ticker, "timestamp": self.clock.now_ms()})
        await self.settle()

    async def move(self, price: str, symbol: str = ADA) -> dict[str, Any]:
        """The exchange's market moves, and the engine is told nothing yet."""
        self.prices.next[symbol] = Decimal(price)
        return await self.exchange.watch_ticker(symbol)

    def hear(self, *, lost: bool = False) -> None:
        reports = list(self.exchange._reports)
        self.exchange._reports.clear()
        for report in [] if lost else reports:
            self.engine.state.deliver(OrderNews(report.client_order_id, report.symbol, report))

    async def update(self) -> None:
        await self.engine.orchestrator.update_open_positions()
        await self.settle()

    async def settle(self) -> None:
        assert await self.engine.state.settle(5)

    async def wait(self, seconds: float) -> None:
        self.clock.set(self.clock.now_ms() + int(seconds * 1000))
        await self.update()

    async def buy(self, symbol: str = ADA) -> bool:
        self.signals += 1
        data = {"id": f"s{self.store.epoch}-{self.signals}", "symbol": symbol}
        decision = await self.engine.orchestrator.handle_buy_signal(data)
        await self.settle()
        return decision.taken

    async def reconcile(self) -> Plan:
        plan = await self.reconciler.reconcile()
        await self.settle()
        return plan

    def order(self, leg: str = "entry") -> OrderRecord:
        (found,) = [order for order in self.store.recent_orders(50) if order.leg == leg] or [
            order for order in self.engine.state.working.orders.values() if order.leg == leg
        ]
        return found

    def position(self) -> PositionRecord:
        (found,) = self.engine.state.working.positions.values()
        return found

    def permission(self, symbol: str = ADA) -> str:
        return self.engine.state.permission(symbol).state

    def books_are_equal(self) -> None:
        """Coins, money and trades of the two sides, each by its own file."""
        book = audit(self.exchange._path)
        assert book.differences() == []
        totals = self.store.totals()
        for symbol, held in totals.holdings.items():
            balance = book.balances.get(symbol.partition("/")[0])
            assert held == (balance.total if balance else 0), symbol
        assert book.balances["USDT"].total == 10_000 + sum(totals.money.values())
        with closing(sqlite3.connect(self.path)) as connection:
            booked = {row[0] for row in connection.execute("SELECT id FROM fills")}
        assert booked == {fill.id for fill in book.fills}


def only(plan: Plan, kind: Kind) -> Difference:
    """The one row of the plan, which is of this kind."""
    (row,) = plan.differences
    assert row.kind is kind, row
    return row


def rules(symbol: str = ADA, **others: object) -> PairRules:
    return PairRules(symbol, **{"order_type": "limit", **others})  # type: ignore[arg-type]


@asynccontextmanager
async def traded(directory: Path, **others: object) -> AsyncIterator[Desk]:
    """An engine over two pairs, resumed or new, on an account that begins with 10,000 USDT."""
    clock, prices = GivenClock(NOW_MS), GivenPrices()
    settings = PaperSettings(latency_ms=(0, 0), ticks_per_s=0, spread=Decimal(0), slippage=Decimal(0))
    path = directory / "books.sqlite"
    pairs = {ADA: rules(ADA, **others), BTC: rules(BTC, **others)}
    exchange = FlakyExchange(
        directory / "exchange.sqlite", symbols=[ADA, BTC], settings=settings, clock=clock, prices=prices
    )
    await exchange.open()
    with SqliteStore.open(path, tag="dtest") as store:
        strategies = {ADA: (External(),), BTC: (External(),)}
        engine = build(Parts(store, exchange, clock, pairs, strategies))
        await resume(engine.orchestrator, exchange, store.load(), engine.symbols, patience_s=1)
        reconciler = Reconciler(engine.orchestrator, exchange, store, pause_s=0)
        try:
            yield Desk(engine, exchange, store, clock, prices, reconciler, path)
        finally:
            await exchange.close()


def foreign(name: str = "webui00000000001", side: str = "buy", price: str | None = "9") -> OrderRequest:
    """An order that somebody placed by hand."""
    limit = None if price is None else Decimal(price)
    return OrderRequest(name, ADA, side, "market" if limit is None else "limit", Decimal(20), limit)


async def resting_entry(desk: Desk) -> str:
    """A limit purchase at 10 that rests, since the market is at 11 by then; its client order id."""
    await desk.price("10")
    await desk.move("11")
    assert await desk.buy()
    desk.hear()
    await desk.update()
    order = desk.order()
    assert order.state == "working"
    return order.client_order_id


async def open_deal(desk: Desk) -> str:
    await desk.price("10")
    assert await desk.buy()
    assert desk.position().state == "open"
    await desk.reconcile()
    return desk.position().id


async def cancelled_unheard(desk: Desk) -> str:
    """A resting entry that the exchange cancels without the engine hearing of it; its client order id."""
    entry = await resting_entry(desk)
    await desk.exchange.cancel_order(entry, ADA)
    desk.hear(lost=True)
    return entry


async def buy_by_hand(desk: Desk) -> None:
    """Somebody buys 20 coins at the market."""
    await desk.exchange.create_order(foreign(price=None))
    desk.hear()


async def lose_coins(desk: Desk, amount: str = "10") -> None:
    """Somebody sells what the position holds."""
    sale = replace(foreign(side="sell", price=None), amount=Decimal(amount))
    await desk.exchange.create_order(sale)
    desk.hear()
