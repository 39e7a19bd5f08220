"""The command over a paper exchange whose report stream is as slow as its answers, as real ones are.

A process that is killed here leaves orders behind that the exchange has taken and the engine never heard of.
"""

import asyncio
from unittest.mock import patch

from dirigent import venues
from dirigent.command_line import main
from services.exchanges.paper import PaperExchange
from services.messages import OrderReport

DELAY_S = 0.08


class SlowNews(PaperExchange):
    async def watch_orders(self) -> list[OrderReport]:
        reports = await super().watch_orders()
        await asyncio.sleep(DELAY_S)
        return reports


if __name__ == "__main__":
    with patch.object(venues, "PaperExchange", SlowNews):
        main()
