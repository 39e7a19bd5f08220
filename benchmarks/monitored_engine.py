"""The daemon with a stop-watch around each tick: `python -m benchmarks.monitored_engine CONFIGURATION RESULT SECONDS`.

It writes, for each tick, its duration and its end in ns of the monotonic clock; and the same of a timer's lateness.
"""

import asyncio
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any

from dirigent import companions, daemon
from dirigent.configuration.settings import load_settings
from dirigent.logging_setup import configure_logging
from dirigent.proofs.methods import replace_method
from dirigent.running import Limits, Run
from services.trading_orchestrator import TradingOrchestrator

TIMER_S = 0.005


def main(configuration: str, result: str, seconds: str) -> int:
    settings = load_settings([configuration], environment={})
    configure_logging(settings.logging, terminal=False)
    ticks, lateness = array("q"), array("q")
    process = TradingOrchestrator.process_market_tick

    async def timed(self: TradingOrchestrator, ticker_data: Mapping[str, Any]) -> None:
        started_ns = monotonic_ns()
        await process(self, ticker_data)
        ended_ns = monotonic_ns()
        ticks.extend((ended_ns - started_ns, ended_ns))

    async def watch_timer(_: Run) -> None:
        while True:
            started_ns = monotonic_ns()
            await asyncio.sleep(TIMER_S)
            ended_ns = monotonic_ns()
            lateness.extend((ended_ns - started_ns - int(TIMER_S * 1e9), ended_ns))

    replace_method(TradingOrchestrator, "process_market_tick", timed)
    companions.OPTIONAL = (*companions.OPTIONAL, watch_timer)
    code = daemon.run(settings, Limits(duration_s=float(seconds)))
    for name, values in (("ticks", ticks), ("timer", lateness)):
        Path(f"{result}.{name}").write_bytes(values.tobytes())
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
