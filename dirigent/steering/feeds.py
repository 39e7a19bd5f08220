"""Prices of the pairs that are traded now: a removed pair's feed waits, and goes on when the pair is back."""

import asyncio
from collections.abc import Container, Mapping
from typing import Any

from run_realtime_trading import Exchange, watch_symbol
from services.messages import OrderReport, OrderRequest
from services.tasks import end_tasks
from services.trading_orchestrator import TradingOrchestrator


class Feeds:
    """Stands between the trading loop and its exchange, and begins feeds of pairs that are new."""

    def __init__(
        self, exchange: Exchange, orchestrator: TradingOrchestrator, traded: Container[str], fed: list[str]
    ) -> None:
        """`traded` is live; `fed` are the pairs that the trading loop feeds by itself."""
        self.exchange = exchange
        self.of_the_loop = list(fed)
        self._orchestrator = orchestrator
        self._traded = traded
        self._fed = set(fed)
        self._back: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, symbol: str) -> None:
        """The pair is traded: its feed goes on, or begins."""
        if symbol in self._back:
            self._back.pop(symbol).set()
        if symbol not in self._fed:
            self._fed.add(symbol)
            self._tasks.append(asyncio.create_task(watch_symbol(self, self._orchestrator, symbol)))

    def raise_faults(self) -> None:
        """Raises what a feed begun here raised."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def end(self) -> None:
        await end_tasks(self._tasks)

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        while symbol not in self._traded:
            await self._back.setdefault(symbol, asyncio.Event()).wait()
        return await self.exchange.watch_ticker(symbol)

    async def create_order(self, request: OrderRequest) -> OrderReport:
        return await self.exchange.create_order(request)

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        return await self.exchange.cancel_order(client_order_id, symbol)

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        return await self.exchange.fetch_order(client_order_id, symbol)

    async def watch_orders(self) -> list[OrderReport]:
        return await self.exchange.watch_orders()

    @property
    def late_arrival_ms(self) -> int:
        return self.exchange.late_arrival_ms
