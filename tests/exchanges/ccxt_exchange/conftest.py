"""The usual one to send orders through: Binance, with little patience for answers."""

from collections.abc import AsyncIterator

import pytest

from tests.exchanges.ccxt_exchange.scripted import Connected, binance


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    async with binance(timeout=400) as at_binance:
        yield at_binance
