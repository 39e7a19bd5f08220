"""The exchange is really away for a while: nobody listens on its port, and then it is back with the same account."""

from benchmarks.outages import outlasted

AWAY_S = 8.0
BACK_WITHIN_S = 4.0
"""Five are allowed; the rest is margin."""


async def test_prices_reports_the_circuit_and_look_ups_are_back_soon_after_an_exchange_that_was_away() -> (
    None
):
    returned = await outlasted(AWAY_S)
    assert returned.slowest_s < BACK_WITHIN_S, returned.told
