"""What every exchange promises of orders and of the account; one more is one more parameter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.records import Fill
from services.exchanges.ccxt_exchange.outcomes import OutcomeUnknown
from services.messages import Balance, CancelRefused, OrderRefused, OrderReport, OrderRequest, OrderStatus
from tests.exchanges.fake_venue import fake_venue
from tests.exchanges.rehearsal_venue import rehearsal_venue
from tests.exchanges.venues import OTHER, RULES, SYMBOL, Story, Venue, order, paper_venue, replay_venue

Tell = Callable[[Story], Awaitable[Venue]]
LEVEL = Story(["10"] * 8)
LEVEL_IN_QUOTE = Story(["10"] * 8, fee_in="quote")
SIMULATED = {"paper": paper_venue, "replay": replay_venue, "fake": fake_venue}
REAL = {"rehearsal": rehearsal_venue}
"""The real client over real sockets: fees are Binance's, and streams begin when somebody asks for them."""

simulated_alone = pytest.mark.parametrize("tell", SIMULATED.values(), ids=list(SIMULATED), indirect=True)
"""For what no real exchange promises; each test that is marked so says why. All others hold everywhere."""


@pytest.fixture(params=(SIMULATED | REAL).values(), ids=[*SIMULATED, *REAL])
async def tell(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Tell]:
    venues: list[Venue] = []

    async def telling(story: Story) -> Venue:
        venues.append(await request.param(story, tmp_path))
        return venues[-1]

    yield telling
    for venue in venues:
        await venue.close()


async def look_up(venue: Venue, id_: str = "a1") -> OrderReport:
    report = await venue.exchange.fetch_order(id_, SYMBOL)
    assert report is not None
    return report


async def settle(venue: Venue, request: OrderRequest) -> OrderReport:
    """Sends an order and lets the market move once: by then every exchange has matched it."""
    await venue.exchange.create_order(request)
    await venue.step()
    return await look_up(venue, request.client_order_id)


async def test_an_accepted_limit_order_rests_with_its_money_locked_until_it_is_cancelled(tell: Tell) -> None:
    venue = await tell(LEVEL)
    report = await venue.exchange.create_order(order("buy", "10", "9.50"))
    assert (report.status, report.filled, report.fills) == (OrderStatus.OPEN, Decimal(0), ())
    assert report.exchange_order_id
    (listed,) = await venue.exchange.fetch_open_orders()
    assert (listed.client_order_id, listed.exchange_order_id) == ("a1", report.exchange_order_id)
    assert listed.request == order("buy", "10", "9.50")
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal(905), Decimal(95))
    ended = await venue.exchange.cancel_order("a1", SYMBOL)
    assert (ended.client_order_id, ended.status, ended.filled) == ("a1", OrderStatus.CANCELED, Decimal(0))
    assert (await look_up(venue)).status is OrderStatus.CANCELED
    assert await venue.exchange.fetch_open_orders() == []
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal(1000))


async def test_a_resting_sell_locks_the_coin_it_sells(tell: Tell) -> None:
    venue = await tell(LEVEL)
    await venue.exchange.create_order(order("sell", "4", "11"))
    assert (await venue.exchange.fetch_balance())["ADA"] == Balance(Decimal(6), Decimal(4))


@simulated_alone
async def test_where_fees_are_paid_in_quote_a_resting_buy_locks_its_fee_too(tell: Tell) -> None:
    """Binance never takes the fee of a purchase from the quote currency."""
    venue = await tell(LEVEL_IN_QUOTE)
    await venue.exchange.create_order(order("buy", "10", "9.50"))
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal("904.905"), Decimal("95.095"))


@simulated_alone
async def test_a_market_order_fills_and_the_fee_is_paid_in_quote(tell: Tell) -> None:
    """Binance never takes the fee of a purchase from the quote currency."""
    venue = await tell(LEVEL_IN_QUOTE)
    report = await settle(venue, order("buy", "3"))
    assert (report.status, report.filled) == (OrderStatus.CLOSED, Decimal(3))
    (fill,) = report.fills
    assert (fill.amount, fill.price) == (Decimal(3), Decimal(10))
    assert (fill.fee, fill.fee_currency) == (Decimal("0.030"), "USDT")
    balance = await venue.exchange.fetch_balance()
    assert balance["USDT"] == Balance(Decimal("969.970"))
    assert balance["ADA"] == Balance(Decimal(13))


async def test_a_market_order_fills_and_the_fee_is_paid_from_the_coin_it_receives(tell: Tell) -> None:
    venue = await tell(LEVEL)
    report = await settle(venue, order("buy", "3"))
    assert (report.status, report.filled) == (OrderStatus.CLOSED, Decimal(3))
    (fill,) = report.fills
    assert (fill.amount, fill.price) == (Decimal(3), Decimal(10))
    assert (fill.fee, fill.fee_currency) == (Decimal("0.003"), "ADA")
    balance = await venue.exchange.fetch_balance()
    assert (balance["USDT"].total, balance["ADA"].total) == (Decimal(970), Decimal("12.997"))


async def test_a_sell_pays_its_fee_in_quote_even_where_buys_pay_in_base(tell: Tell) -> None:
    venue = await tell(LEVEL)
    report = await settle(venue, order("sell", "3"))
    assert (report.fills[0].fee, report.fills[0].fee_currency) == (Decimal("0.030"), "USDT")
    assert (await venue.exchange.fetch_balance())["USDT"].total == Decimal("1029.970")


async def test_a_resting_buy_fills_at_its_own_price_when_the_market_comes_to_it(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.60", "9.40", "9.40"]))
    assert (await settle(venue, order("buy", "10", "9.50"))).status is OrderStatus.OPEN
    await venue.step()
    report = await look_up(venue)
    assert report.status is OrderStatus.CLOSED
    assert [(fill.amount, fill.price) for fill in report.fills] == [(Decimal(10), Decimal("9.50"))]


async def test_a_limit_order_fills_piece_by_piece_where_the_book_is_thin(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.50", "9.50", "9.50", "9.50"], volume="1.5"))
    first = await settle(venue, order("buy", "4", "9.50"))
    assert (first.status, first.filled) == (OrderStatus.OPEN, Decimal("1.5"))
    assert (await venue.exchange.fetch_balance())["USDT"].used == Decimal("23.75")
    await venue.step()
    await venue.step()
    last = await look_up(venue)
    assert last.status is OrderStatus.CLOSED
    assert [fill.amount for fill in last.fills] == [Decimal("1.5"), Decimal("1.5"), Decimal("1.0")]
    assert len({fill.id for fill in last.fills}) == 3
    assert (await venue.exchange.fetch_balance())["USDT"].used == 0


async def test_what_a_market_order_cannot_fill_at_once_expires(tell: Tell) -> None:
    """A real exchange does not say why: the reason is told by the simulated ones alone."""
    venue = await tell(Story(["10"] * 4, volume="1.5"))
    report = await settle(venue, order("buy", "4"))
    assert (report.status, report.filled) == (OrderStatus.EXPIRED, Decimal("1.5"))
    assert report.reason == "" or "1.5 could be filled" in report.reason
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal(985))


async def test_a_cancel_frees_the_money_and_keeps_what_filled(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.50", "9.50"], volume="1.5"))
    await settle(venue, order("buy", "4", "9.50"))
    report = await venue.exchange.cancel_order("a1", SYMBOL)
    assert (report.status, report.filled) == (OrderStatus.CANCELED, Decimal("1.5"))
    known = await look_up(venue)
    assert (known.status, known.filled) == (OrderStatus.CANCELED, Decimal("1.5"))
    assert [fill.amount for fill in known.fills] == [Decimal("1.5")]
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal("985.75"))


BAD_ORDERS = {
    "amount 1.05 of ADA/USDT is not a multiple of amount_step 0.1": order("buy", "1.05"),
    "price 9.505 of ADA/USDT is not a multiple of price_step 0.01": order("buy", "1", "9.505"),
    "amount 0.1 of ADA/USDT is below amount_min 0.2": order("buy", "0.1"),
    "price 1.99 of ADA/USDT is below price_min 2.00": order("buy", "20", "1.99"),
    "price 50.01 of ADA/USDT is above price_max 50": order("sell", "1", "50.01"),
    "cost 4.0 of 0.4 ADA/USDT at 10 is below cost_min 5; at Binance: NOTIONAL": order("buy", "0.4"),
    "cost 4.995 of 0.5 ADA/USDT at 9.99 is below cost_min 5": order("buy", "0.5", "9.99"),
    "insufficient funds: 1001.0 USDT needed, 1000 free; at Binance: insufficient balance": order(
        "buy", "100.1"
    ),
    "insufficient funds: 10.1 ADA needed, 10 free; at Binance: insufficient balance": order("sell", "10.1"),
    "amount 0 of ADA/USDT is not a finite number above zero": order("buy", "0"),
    "amount -1 of ADA/USDT is not a finite number above zero": order("sell", "-1"),
    "amount NaN of ADA/USDT is not a finite number above zero": order("buy", "NaN"),
    "price Infinity of ADA/USDT is not a finite number above zero": order("buy", "1", "Infinity"),
    "side 'borrow' is neither buy nor sell": order("borrow", "1"),
    "XYZ/USDT is not listed here": order("buy", "1", symbol="XYZ/USDT"),
    "a limit order needs a price": OrderRequest("a1", SYMBOL, "buy", "limit", Decimal(1)),
    "a market order has no price": OrderRequest("a1", SYMBOL, "buy", "market", Decimal(1), Decimal(10)),
    "type 'stop' is neither": OrderRequest("a1", SYMBOL, "buy", "stop", Decimal(1), Decimal(10)),
}
"""By why. Of money, and of what a market order is worth, the engine knows nothing: there Binance itself refuses."""


async def test_a_refused_order_names_the_rule_and_leaves_nothing_behind(tell: Tell) -> None:
    venue = await tell(LEVEL)
    before = await venue.exchange.fetch_balance()
    for why, request in BAD_ORDERS.items():
        with pytest.raises(OrderRefused) as refused:
            await venue.exchange.create_order(request)
        assert any(words in str(refused.value) for words in why.split("; at Binance: ")), why
    assert await venue.exchange.fetch_open_orders() == []
    assert await venue.exchange.fetch_order("a1", SYMBOL) is None
    assert await venue.exchange.fetch_balance() == before


async def test_an_order_at_the_very_edge_of_what_a_market_takes_is_taken(tell: Tell) -> None:
    venue = await tell(LEVEL)
    edges = [order("buy", "2.5", "2.00", id_="a1"), order("sell", "0.2", "50", id_="a2")]
    reports = [await venue.exchange.create_order(edge) for edge in edges]
    assert [report.status for report in reports] == [OrderStatus.OPEN] * 2


async def test_a_cancel_of_what_is_not_open_is_refused(tell: Tell) -> None:
    venue = await tell(LEVEL)
    with pytest.raises(CancelRefused):
        await venue.exchange.cancel_order("a1", SYMBOL)
    await settle(venue, order("buy", "1"))
    with pytest.raises(CancelRefused):
        await venue.exchange.cancel_order("a1", SYMBOL)
    assert (await look_up(venue)).status is OrderStatus.CLOSED


async def test_an_order_is_found_by_its_client_id_and_its_own_symbol_only(tell: Tell) -> None:
    venue = await tell(LEVEL)
    assert await venue.exchange.fetch_order("a1", SYMBOL) is None
    accepted = await venue.exchange.create_order(order("buy", "1", "9"))
    assert replace(await look_up(venue), request=None) == accepted
    assert await venue.exchange.fetch_order("a2", SYMBOL) is None
    assert await venue.exchange.fetch_order("a1", OTHER) is None


async def test_a_client_id_in_use_by_an_open_order_buys_nothing_more(tell: Tell) -> None:
    """A real exchange's refusal of the name may mean that the first request arrived: it has to be looked up."""
    venue = await tell(LEVEL)
    first = await venue.exchange.create_order(order("buy", "1", "9"))
    with pytest.raises((OrderRefused, OutcomeUnknown)):
        await venue.exchange.create_order(order("buy", "1", "9"))
    (listed,) = await venue.exchange.fetch_open_orders()
    assert listed.exchange_order_id == (await look_up(venue)).exchange_order_id == first.exchange_order_id


@simulated_alone
async def test_a_client_id_in_use_by_an_open_order_is_refused(tell: Tell) -> None:
    """Real exchanges say the same of a request that came twice over the wire, so it is no refusal there."""
    venue = await tell(LEVEL)
    await venue.exchange.create_order(order("buy", "1", "9"))
    with pytest.raises(OrderRefused, match="a1 is in use by an open order"):
        await venue.exchange.create_order(order("sell", "1", "11"))
    assert len(await venue.exchange.fetch_open_orders()) == 1


async def test_a_client_id_can_be_used_again_after_its_order_ended_and_then_buys_twice(tell: Tell) -> None:
    venue = await tell(LEVEL)
    first = await settle(venue, order("buy", "1"))
    second = await settle(venue, order("buy", "1"))
    assert first.exchange_order_id != second.exchange_order_id
    assert (await venue.exchange.fetch_balance())["ADA"].total == Decimal("11.998")


async def test_a_fill_of_a_resting_order_is_pushed(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.40", "9.40"]))
    await venue.stream_begins()
    await venue.exchange.create_order(order("buy", "1", "9.50"))
    await venue.step()
    async with asyncio.timeout(10):
        pushed: list[OrderReport] = []
        while not any(report.status is OrderStatus.CLOSED for report in pushed):
            pushed += await venue.exchange.watch_orders()
    known = await look_up(venue)
    assert {report.client_order_id for report in pushed} == {"a1"}
    assert (pushed[-1].status, pushed[-1].filled) == (known.status, known.filled)
    assert pushed[-1].exchange_order_id == known.exchange_order_id
    assert {fill for report in pushed for fill in report.fills} == set(known.fills)


async def test_every_trade_id_is_used_once(tell: Tell) -> None:
    venue = await tell(Story(["10"] * 12))
    fills: list[Fill] = []
    for number in range(5):
        fills += (await settle(venue, order("buy", "1", id_=f"a{number}"))).fills
    assert len({fill.id for fill in fills}) == len(fills) == 5


async def test_the_market_rules_are_told_and_an_unlisted_symbol_is_a_key_error(tell: Tell) -> None:
    venue = await tell(LEVEL)
    assert venue.exchange.market(SYMBOL) == RULES
    with pytest.raises(KeyError):
        venue.exchange.market("XYZ/USDT")
