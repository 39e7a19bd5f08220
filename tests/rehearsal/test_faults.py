"""What the faults of requests do to the unmodified ccxt client, and what is left in the books."""

import time
from decimal import Decimal

import pytest

from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.server import Rehearsal
from tests.rehearsal.clients import (
    MARKET,
    Client,
    becomes_true,
    buy,
    ccxt_error,
    client_of,
    faulty,
    look_up,
    still,
    trading,
)


def _accepted(server: Rehearsal) -> int:
    return len(server.venue.desk.orders)


async def test_a_lost_response_leaves_an_order_behind() -> None:
    async with trading() as (server, client):
        server.arm("lost_response")
        with pytest.raises(ccxt_error("NetworkError")):
            await buy(client, "lost1")
        assert _accepted(server) == 1
        assert (await look_up(client, "lost1"))["status"] == "closed"


async def test_a_lost_answer_to_a_cancel_is_asked_again_by_the_client_and_reads_as_not_found() -> None:
    async with trading() as (server, client):
        await buy(client, "gone1", price="64000")
        server.arm("lost_response")
        with pytest.raises(ccxt_error("OrderNotFound"), match="-2011"):
            await client.cancel_order(None, MARKET, {"clientOrderId": "gone1"})
        assert server.audit()["requests"]["DELETE /api/v3/order"] == 2
        assert (await look_up(client, "gone1"))["status"] == "canceled"


async def test_a_lost_request_leaves_none() -> None:
    async with trading() as (server, client):
        server.arm("lost_request")
        with pytest.raises(ccxt_error("NetworkError")):
            await buy(client, "never1")
        assert _accepted(server) == 0
        with pytest.raises(ccxt_error("OrderNotFound")):
            await look_up(client, "never1")


async def test_a_late_order_is_first_not_there_and_then_it_is() -> None:
    async with trading(faulty(late_ms_min=300, late_ms_max=300)) as (server, client):
        server.arm("late_execution")
        with pytest.raises(ccxt_error("NetworkError")):
            await buy(client, "late1")
        with pytest.raises(ccxt_error("OrderNotFound")):
            await look_up(client, "late1")
        await becomes_true(lambda: _accepted(server) == 1)
        assert (await look_up(client, "late1"))["status"] == "closed"


async def test_what_arrives_after_its_window_never_executes() -> None:
    async with trading(faulty(late_ms_min=400, late_ms_max=400)) as (server, client):
        client.options["recvWindow"] = 200
        server.arm("late_execution")
        with pytest.raises(ccxt_error("NetworkError")):
            await buy(client, "late1")
        await becomes_true(lambda: sum(server.venue.refusals.values()) == 1)
        assert _accepted(server) == 0
        assert "outside of the recvWindow" in next(iter(server.venue.refusals))


async def test_garbage_with_success_names_no_order_and_there_is_one() -> None:
    async with trading() as (server, client):
        for number in range(30):
            server.arm("garbage_success")
            assert (await buy(client, f"garbage{number}", "0.001"))["id"] is None
        assert _accepted(server) == 30


async def test_garbage_without_success_names_no_order_and_there_is_none() -> None:
    async with trading() as (server, client):
        server.arm("garbage")
        assert (await buy(client, "garbage1"))["id"] is None
        assert _accepted(server) == 0


async def test_a_server_error_says_nothing_about_the_order() -> None:
    async with trading() as (server, client):
        for number in range(12):
            server.arm("server_error")
            with pytest.raises(ccxt_error("BaseError")):
                await buy(client, f"error{number}", "0.001")
        assert 0 < _accepted(server) < 12


async def test_who_is_told_to_wait_learns_how_long_and_is_served_after_it() -> None:
    async with trading(faulty(retry_after_s=1)) as (server, client):
        server.arm("rate_limited")
        with pytest.raises(ccxt_error("DDoSProtection"), match="429"):
            await buy(client, "wait1")
        assert client.last_response_headers["Retry-After"] == "1"
        with pytest.raises(ccxt_error("DDoSProtection"), match="429"):
            await client.fetch_ticker(MARKET)
        assert _accepted(server) == 0
        assert await _served_after(client) == pytest.approx(1, abs=0.5)


async def test_who_does_not_wait_is_banned() -> None:
    async with trading() as (server, client):
        server.arm("rate_limited")
        with pytest.raises(ccxt_error("DDoSProtection"), match="429"):
            await buy(client, "wait1")
        for _ in range(10):
            with pytest.raises(ccxt_error("DDoSProtection"), match="429"):
                await client.fetch_ticker(MARKET)
        with pytest.raises(ccxt_error("DDoSProtection"), match="418"):
            await client.fetch_ticker(MARKET)
        assert int(client.last_response_headers["Retry-After"]) == 4


async def test_a_partial_fill_is_followed_by_silence() -> None:
    async with trading(faulty(partial_fill=1, silence_s=60)) as (server, client):
        order = await buy(client, "part1", price="66000")
        filled = Decimal(order["filled"])
        assert order["status"] == "open"
        assert 0 < filled < Decimal("0.01")
        server.venue.tick(MARKET)
        server.venue.move_to(MARKET, Decimal(65_000))
        assert Decimal((await look_up(client, "part1"))["filled"]) == filled
        market = await buy(client, "part2")
        assert market["status"] == "expired"
        assert 0 < Decimal(market["filled"]) < Decimal("0.01")
        assert server.audit()["faults_in_the_books"] == []


async def test_a_clock_that_is_ahead_refuses_until_the_client_has_asked_the_time() -> None:
    async with Rehearsal(faulty(clock_skew_ms=20_000)) as server, client_of(server) as client:
        with pytest.raises(ccxt_error("InvalidNonce"), match="-1021"):
            await client.load_markets()
        client.options["adjustForTimeDifference"] = True
        await client.load_time_difference()
        assert (await buy(client, "clock1"))["status"] == "closed"


async def test_a_clock_that_is_behind_finds_requests_in_its_future() -> None:
    async with Rehearsal(faulty(clock_skew_ms=-20_000)) as server, client_of(server) as client:
        with pytest.raises(ccxt_error("InvalidNonce"), match="ahead"):
            await client.load_markets()


async def test_maintenance_refuses_everything_and_ends() -> None:
    chaos = Chaos.model_validate({"maintenance": [{"after_s": 0, "duration_s": 1.5}]})
    async with Rehearsal(still(chaos=chaos)) as server, client_of(server) as client:
        with pytest.raises(ccxt_error("ExchangeNotAvailable"), match="503"):
            await client.fetch_time()
        assert (await client.fetch_status())["status"] == "maintenance"
        with pytest.raises(ccxt_error("NetworkError")):
            await client.load_markets()
        await becomes_true(lambda: not server.venue.clock.in_maintenance)
        await client.load_markets()


async def test_faults_may_spare_queries_and_the_beginning() -> None:
    async with trading(faulty(lost_request=1, orders_only=True)) as (server, client):
        await client.fetch_ticker(MARKET)
        with pytest.raises(ccxt_error("NetworkError")):
            await buy(client, "cut1")
        assert server.venue.faults.counts["lost_request"] == 1
    async with trading(faulty(lost_request=1, begin_after_s=60)) as (_server, client):
        assert (await buy(client, "whole1"))["status"] == "closed"


async def test_an_armed_fault_befalls_the_request_it_names() -> None:
    async with trading() as (server, client):
        server.arm("garbage", on="GET /api/v3/order")
        await buy(client, "named1")
        assert (await look_up(client, "named1"))["id"] is None
        assert (await look_up(client, "named1"))["id"] is not None


async def test_one_seed_gives_one_row_of_faults() -> None:
    async def outcomes(seed: int) -> list[bool]:
        settings = still(seed=seed, chaos=Chaos(lost_request=0.5, orders_only=True))
        async with trading(settings) as (server, client):
            for number in range(20):
                try:
                    await buy(client, f"seed{number}", "0.001")
                except ccxt_error("NetworkError"):
                    continue
            return [f"seed{number}" in server.venue.desk.by_client_id for number in range(20)]

    first = await outcomes(3)
    assert await outcomes(3) == first
    assert await outcomes(4) != first
    assert {True, False} == set(first)


async def _served_after(client: Client) -> float:
    """Seconds until a query is answered, asked now and then."""
    import asyncio

    started = time.monotonic()
    while True:
        try:
            await client.fetch_ticker(MARKET)
        except ccxt_error("DDoSProtection"):
            await asyncio.sleep(0.3)
            continue
        return time.monotonic() - started
