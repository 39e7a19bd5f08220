"""Orders, money and refusals, as the unmodified ccxt client meets them at the rehearsal exchange."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from dirigent.rehearsal.settings import RehearsalSettings
from tests.rehearsal.clients import MARKET, buy, ccxt_error, client_of, look_up, still, trading


async def test_the_client_reads_markets_and_prices_exactly() -> None:
    async with trading() as (server, client):
        market = client.market(MARKET)
        rules = server.venue.markets.rules[MARKET]
        assert Decimal(market["precision"]["amount"]) == rules.amount_step
        assert Decimal(market["precision"]["price"]) == rules.price_step
        limits = market["limits"]
        assert Decimal(limits["cost"]["min"]) == rules.cost_min
        assert Decimal(limits["amount"]["min"]) == rules.amount_min
        assert [Decimal(limits["price"][end]) for end in ("min", "max")] == [rules.price_min, rules.price_max]
        point = server.venue.desk.point(MARKET)
        ticker = await client.fetch_ticker(MARKET)
        assert [Decimal(ticker[name]) for name in ("last", "bid", "ask")] == [
            point.last,
            point.bid,
            point.ask,
        ]
        best = (await client.fetch_bids_asks([MARKET]))[MARKET]
        assert (Decimal(best["bid"]), Decimal(best["ask"])) == (point.bid, point.ask)
        assert (await client.fetch_order_book(MARKET, 5))["bids"][0][0] == float(point.bid)
        assert len(await client.fetch_ohlcv(MARKET, "1m")) == 500
        assert (await client.fetch_status())["status"] == "ok"


async def test_candles_end_at_the_price_that_is() -> None:
    async with trading() as (server, client):
        server.venue.move_to(MARKET, Decimal(65_100))
        minutes = await client.fetch_ohlcv(MARKET, "1m")
        hours = await client.fetch_ohlcv(MARKET, "1h")
        assert Decimal(minutes[-1][4]) == Decimal(hours[-1][4]) == 65_100
        assert all(later[0] - earlier[0] == 60_000 for earlier, later in pairwise(minutes))
        assert all(Decimal(low) <= Decimal(close) <= Decimal(high) for _, _, high, low, close, _ in minutes)


async def test_a_purchase_pays_its_fee_in_the_coin_it_buys() -> None:
    async with trading() as (server, client):
        order = await buy(client, "first1")
        ask = server.venue.desk.point(MARKET).ask
        assert (order["status"], order["clientOrderId"]) == ("closed", "first1")
        assert order["fee"] == {"currency": "BTC", "cost": "0.00001000"}
        (trade,) = await client.fetch_my_trades(MARKET, params={"orderId": order["id"]})
        assert (trade["fee"], Decimal(trade["price"])) == (order["fee"], ask)
        balance = await client.fetch_balance()
        assert Decimal(balance["BTC"]["free"]) == Decimal("1.00999")
        assert Decimal(balance["USDT"]["free"]) == 100_000 - ask * Decimal("0.01")


async def test_a_sale_pays_its_fee_in_quote() -> None:
    async with trading() as (server, client):
        await client.create_order(MARKET, "market", "sell", "0.01", None, {})
        received = server.venue.desk.point(MARKET).bid * Decimal("0.01") * Decimal("0.999")
        assert Decimal((await client.fetch_balance())["USDT"]["free"]) == 100_000 + received


async def test_a_third_coin_pays_fees_cheaper_until_there_is_too_little_of_it() -> None:
    balances = {"USDT": Decimal(100_000), "BNB": Decimal("0.001")}
    async with trading(still(fee_coin="BNB", balances=balances)) as (server, client):
        first = await buy(client, "paid1")
        assert first["fee"]["currency"] == "BNB"
        price = server.venue.desk.point("BNB/USDT").last
        exact = Decimal(first["cost"]) * Decimal("0.001") * Decimal("0.75") / price
        assert 0 <= exact - Decimal(first["fee"]["cost"]) < Decimal("1e-8")
        assert (await buy(client, "paid2"))["fee"]["currency"] == "BTC"
        assert server.audit()["faults_in_the_books"] == []


async def test_a_resting_order_fills_when_the_market_comes() -> None:
    async with trading() as (server, client):
        order = await buy(client, "rests1", price="64000")
        assert order["status"] == "open"
        assert [row["id"] for row in await client.fetch_open_orders(MARKET)] == [order["id"]]
        assert Decimal((await client.fetch_balance())["USDT"]["used"]) == 640
        server.venue.move_to(MARKET, Decimal(63_900))
        found = await look_up(client, "rests1")
        assert (found["status"], Decimal(found["average"])) == ("closed", Decimal(64_000))
        (trade,) = await client.fetch_my_trades(MARKET)
        assert trade["takerOrMaker"] == "maker"
        assert await client.fetch_open_orders(MARKET) == []


async def test_a_cancelled_order_gives_its_money_back_and_is_found() -> None:
    async with trading() as (_server, client):
        await buy(client, "gone1", price="64000")
        answer = await client.cancel_order(None, MARKET, {"clientOrderId": "gone1"})
        assert (answer["status"], answer["info"]["origClientOrderId"]) == ("canceled", "gone1")
        assert answer["clientOrderId"] != "gone1"
        assert (await look_up(client, "gone1"))["status"] == "canceled"
        assert Decimal((await client.fetch_balance())["USDT"]["free"]) == 100_000
        with pytest.raises(ccxt_error("OrderNotFound"), match="-2011"):
            await client.cancel_order(None, MARKET, {"clientOrderId": "gone1"})


async def test_all_open_orders_are_cancelled_at_once() -> None:
    async with trading() as (server, client):
        for number in range(3):
            await buy(client, f"many{number}", price=f"{64000 + number}")
        await client.cancel_all_orders(MARKET)
        assert server.venue.desk.open_orders() == []
        assert len(await client.fetch_closed_orders(MARKET)) == 0
        assert len(await client.fetch_canceled_orders(MARKET)) == 3


@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
async def test_an_immediate_order_that_meets_nothing_expires(time_in_force: str) -> None:
    async with trading() as (server, client):
        order = await client.create_order(
            MARKET, "limit", "buy", "0.01", "60000", {"timeInForce": time_in_force}
        )
        assert (order["status"], order["filled"]) == ("expired", "0.00000000")
        assert server.audit()["orders"] == {
            "accepted": 1,
            "by_status": {"EXPIRED": 1},
            "open": 0,
            "refused": {},
        }


async def test_a_market_order_by_cost_spends_at_most_that() -> None:
    async with trading() as (server, client):
        order = await client.create_order(MARKET, "market", "buy", "0", None, {"cost": "1000"})
        ask = server.venue.desk.point(MARKET).ask
        assert 1_000 - ask * Decimal("0.000001") < Decimal(order["cost"]) <= 1_000


_REFUSALS = [
    ("limit", "0.01", "64000.05", "InvalidOrder", "PRICE_FILTER"),
    ("limit", "0.01", "100000000.1", "InvalidOrder", "PRICE_FILTER"),
    ("limit", "0.01", "500000", "InvalidOrder", "PERCENT_PRICE_BY_SIDE"),
    ("limit", "0.0000001", "64000", "InvalidOrder", "LOT_SIZE"),
    ("limit", "0.0000500", "64000", "BadRequest", "NOTIONAL"),
    ("limit", "10", "64000", "InsufficientFunds", "insufficient balance"),
    ("market", "10", None, "InsufficientFunds", "insufficient balance"),
]


@pytest.mark.parametrize(("kind", "amount", "price", "error", "words"), _REFUSALS)
async def test_what_a_market_does_not_take_is_refused_by_its_code(
    kind: str, amount: str, price: str | None, error: str, words: str
) -> None:
    async with trading() as (server, client):
        request = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": kind.upper(),
            "quantity": amount,
            "newClientOrderId": "refused1",
        }
        if price is not None:
            request |= {"price": price, "timeInForce": "GTC"}
        with pytest.raises(ccxt_error(error), match=words):
            await client.private_post_order(request)
        assert server.venue.desk.orders == {}
        assert sum(server.audit()["orders"]["refused"].values()) == 1


_BAD_FORMS: list[tuple[dict[str, Any], int]] = [
    ({"symbol": "NOPE"}, -1121),
    ({"side": "HOLD"}, -1117),
    ({"type": "STOP"}, -1116),
    ({"timeInForce": "NOW"}, -1115),
    ({"timeInForce": ""}, -1102),
    ({"price": ""}, -1102),
    ({"quantity": "many"}, -1100),
    ({"quantity": "0.123456789"}, -1111),
    ({"newClientOrderId": "not good"}, -1100),
    ({"type": "MARKET"}, -1106),
    ({"recvWindow": "60001"}, -1131),
]


@pytest.mark.parametrize(("change", "code"), _BAD_FORMS)
async def test_a_badly_written_order_is_refused_by_its_code(change: dict[str, Any], code: int) -> None:
    async with trading() as (server, client):
        request = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.01",
            "price": "64000",
        }
        with pytest.raises(ccxt_error("BaseError")) as refusal:
            await client.private_post_order({**request, **change})
        assert f'"code": {code}' in str(refusal.value) or f"{code}" in str(refusal.value)
        assert server.venue.desk.orders == {}


async def test_a_maker_order_that_would_take_is_refused() -> None:
    async with trading() as (_server, client):
        with pytest.raises(ccxt_error("OrderImmediatelyFillable")):
            await client.create_order(MARKET, "limit", "buy", "0.01", "66000", {"postOnly": True})


async def test_a_client_id_is_unique_among_open_orders_only() -> None:
    async with trading() as (server, client):
        await buy(client, "same1", price="64000")
        with pytest.raises(ccxt_error("InvalidOrder"), match="Duplicate order sent"):
            await buy(client, "same1", price="64000")
        assert server.audit()["duplicates"] == []
        server.venue.move_to(MARKET, Decimal(63_000))
        again = await buy(client, "same1")
        assert again["status"] == "closed"
        (row,) = server.audit()["duplicates"]
        assert (row["client_order_id"], len(row["orders"])) == ("same1", 2)


async def test_an_order_that_is_not_there_is_not_found() -> None:
    async with trading() as (_server, client):
        with pytest.raises(ccxt_error("OrderNotFound"), match="-2013"):
            await look_up(client, "never1")
        with pytest.raises(ccxt_error("OrderNotFound"), match="-2013"):
            await client.fetch_order("99", MARKET)


async def test_a_wrong_secret_or_key_is_turned_away() -> None:
    async with trading() as (server, _client):
        async with client_of(server, secret="another") as stranger:
            with pytest.raises(ccxt_error("AuthenticationError"), match="-1022"):
                await stranger.private_get_account()
        async with client_of(server, apiKey="another") as stranger:
            with pytest.raises(ccxt_error("AuthenticationError"), match="-2015"):
                await stranger.private_get_account()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_private_key_signs_as_well(kind: str) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, 2048)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    async with trading(still(public_key=public), secret=secret) as (server, client):
        assert (await buy(client, "signed1"))["status"] == "closed"
        async with client_of(server) as stranger:
            with pytest.raises(ccxt_error("AuthenticationError"), match="-1022"):
                await stranger.private_get_account()


async def test_two_clients_see_one_account() -> None:
    async with trading() as (server, one), client_of(server) as other:
        await asyncio.gather(*(buy(one, f"one{n}", "0.001") for n in range(5)), other.load_markets())
        assert len(await other.fetch_my_trades(MARKET)) == 5


def test_what_cannot_be_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="btcusdt"):
        RehearsalSettings(symbols=("btcusdt",))
