"""The page /metrics: served by the event loop that trades, in slices too short for a tick to notice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from time import perf_counter_ns

from loguru import logger

from dirigent.monitoring.instruments import Instruments
from dirigent.monitoring.observed import Observed
from dirigent.monitoring.taps import installed_in

LAG_EVERY_S = 0.1


async def serve_metrics(run: Observed) -> None:
    """The companion; returns at once when no port is configured."""
    port = run.settings.metrics.port
    if port is None:
        return
    with installed_in(run.engine) as instruments:
        for library in ("aiohttp.web", "prometheus_client"):
            await asyncio.to_thread(import_module, library)
        async with listening(run, instruments, run.settings.metrics.host, port) as address:
            logger.bind(event="metrics_served", address=address).info("metrics_served")
            await watch_loop(instruments)


@asynccontextmanager
async def listening(run: Observed, instruments: Instruments, host: str, port: int) -> AsyncIterator[str]:
    """The page's address, for as long as the block lasts. Raises OSError when it cannot be had."""
    from aiohttp import web

    from dirigent.monitoring.collector import EngineCollector
    from dirigent.monitoring.exposition import CONTENT_TYPE, Exposition

    market = run.engine.market
    before = {symbol: market.market(symbol).samples for symbol in run.engine.symbols}
    exposition = Exposition(EngineCollector(run, instruments, before, version("dirigent")))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=await exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    application.router.add_get("/metrics", answer)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}/metrics"
    finally:
        await runner.cleanup()


async def watch_loop(instruments: Instruments) -> None:
    """Notes by how much a timer is late: so late is everything that waits for the loop."""
    while True:
        started_ns = perf_counter_ns()
        await asyncio.sleep(LAG_EVERY_S)
        late_ns = perf_counter_ns() - started_ns - int(LAG_EVERY_S * 1e9)
        instruments.loop_lag.record(max(late_ns, 0))
