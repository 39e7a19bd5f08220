"""The trading loop: pumps ticks and order reports into the orchestrator until it is told to stop."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from loguru import logger

from services.messages import FeedEnded, OrderNews
from services.ports import OrderDesk, TickerFeed
from services.tasks import end_tasks
from services.trading_orchestrator import TradingOrchestrator

RETRY_S = 1.0
"""The pause after a feed failed."""


class Exchange(TickerFeed, OrderDesk, Protocol):
    """What the loop needs of an exchange: prices and reports."""


async def watch_symbol(connector: TickerFeed, orchestrator: TradingOrchestrator, symbol: str) -> None:
    """One feed task a symbol: a slow or dead feed delays no other."""
    while True:
        try:
            ticker_data = await connector.watch_ticker(symbol)
        except FeedEnded:
            return
        except Exception as error:  # whatever a connector raises is one symbol's trouble, and passes
            logger.bind(event="feed_failed", symbol=symbol, error=repr(error)).warning("feed_failed")
            await asyncio.sleep(RETRY_S)
            continue
        await orchestrator.process_market_tick(ticker_data)


async def watch_orders(
    connector: OrderDesk,
    orchestrator: TradingOrchestrator,
    on_reconnect: Callable[[], None] = lambda: None,
) -> None:
    """Order reports are news: they wait in the state manager until they are committed.

    Reports of a gap in the stream are lost: after each, the books are compared.
    """
    while True:
        try:
            reports = await connector.watch_orders()
        except Exception as error:  # the same; what was missed meanwhile is looked up
            logger.bind(event="order_stream_failed", error=repr(error)).warning("order_stream_failed")
            await asyncio.sleep(RETRY_S)
            on_reconnect()
            continue
        for report in reports:
            orchestrator.state.deliver(OrderNews(report.client_order_id, report.symbol, report))
        await orchestrator.update_open_positions()


async def keep_time(orchestrator: TradingOrchestrator) -> None:
    """Deadlines are rows in the store; every second the due ones fire."""
    while True:
        await orchestrator.update_open_positions()
        await asyncio.sleep(1)


async def trade(
    connector: Exchange,
    orchestrator: TradingOrchestrator,
    symbols: Sequence[str],
    stop: asyncio.Event,
    on_reconnect: Callable[[], None] = lambda: None,
) -> None:
    """Runs until `stop` is set or every feed has ended. Raises what a task of the loop raised."""

    async def watch_symbols() -> None:
        await asyncio.gather(*(watch_symbol(connector, orchestrator, symbol) for symbol in symbols))

    async def wait_for_stop() -> None:
        await stop.wait()

    reports = watch_orders(connector, orchestrator, on_reconnect)
    work = (watch_symbols(), reports, keep_time(orchestrator), wait_for_stop())
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        await end_tasks(tasks)


if __name__ == "__main__":
    from dirigent.command_line import main

    main(["trade", *sys.argv[1:]])
