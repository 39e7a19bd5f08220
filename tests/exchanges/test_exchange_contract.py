"""What every simulated exchange promises of orders and of the account; one more is one more parameter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.records import Fill
from services.exchanges.ccxt_exchange.outcomes import OutcomeUnknown
from services.messages import Balance, CancelRefused, OrderRefused, OrderReport, OrderRequest, OrderStatus
from tests.exchanges.fake_venue import fake_venue
from tests.exchanges.rehearsal_venue import rehearsal_venue
from tests.exchanges.venues import RULES, SYMBOL, Story, Venue, order, paper_venue, replay_venue

Tell = Callable[[Story], Awaitable[Venue]]
LEVEL = Story(["10"] * 8)
LEVEL_IN_BASE = Story(["10"] * 8, fee_in="base")

everywhere = pytest.mark.parametrize(
    "tell",
    [paper_venue, replay_venue, fake_venue, rehearsal_venue],
    ids=["paper", "replay", "fake", "rehearsal"],
    indirect=True,
)
"""What holds for the real client over real sockets too, where fees are Binance's and streams begin when asked for."""


@pytest.fixture(params=[paper_venue, replay_venue], ids=["paper", "replay"])
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


async def test_an_accepted_limit_order_rests_with_its_money_locked(tell: Tell) -> None:
    venue = await tell(LEVEL)
    report = await venue.exchange.create_order(order("buy", "10", "9.50"))
    assert (report.status, report.filled, report.fills) == (OrderStatus.OPEN, Decimal(0), ())
    assert report.exchange_order_id
    balance = await venue.exchange.fetch_balance()
    assert balance["USDT"] == Balance(Decimal("904.905"), Decimal("95.095"))
    assert [resting.client_order_id for resting in await venue.exchange.fetch_open_orders()] == ["a1"]


@everywhere
async def test_a_resting_sell_locks_the_coin_it_sells(tell: Tell) -> None:
    venue = await tell(LEVEL_IN_BASE)
    await venue.exchange.create_order(order("sell", "4", "11"))
    assert (await venue.exchange.fetch_balance())["ADA"] == Balance(Decimal(6), Decimal(4))


@everywhere
async def test_a_resting_buy_locks_its_money_until_it_is_cancelled(tell: Tell) -> None:
    venue = await tell(LEVEL_IN_BASE)
    report = await venue.exchange.create_order(order("buy", "10", "9.50"))
    assert (report.status, report.filled, report.fills) == (OrderStatus.OPEN, Decimal(0), ())
    (listed,) = await venue.exchange.fetch_open_orders()
    assert (listed.client_order_id, listed.exchange_order_id) == ("a1", report.exchange_order_id)
    assert listed.request == order("buy", "10", "9.50")
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal(905), Decimal(95))
    ended = await venue.exchange.cancel_order("a1", SYMBOL)
    assert (ended.client_order_id, ended.status, ended.filled) == ("a1", OrderStatus.CANCELED, Decimal(0))
    assert (await look_up(venue)).status is OrderStatus.CANCELED
    assert await venue.exchange.fetch_open_orders() == []
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal(1000))


async def test_a_market_order_fills_and_the_fee_is_paid_in_quote(tell: Tell) -> None:
    venue = await tell(LEVEL)
    report = await settle(venue, order("buy", "3"))
    assert (report.status, report.filled) == (OrderStatus.CLOSED, Decimal(3))
    (fill,) = report.fills
    assert (fill.amount, fill.price, fill.fee, fill.fee_currency) == (
        Decimal(3),
        Decimal(10),
        Decimal("0.030"),
        "USDT",
    )
    balance = await venue.exchange.fetch_balance()
    assert balance["USDT"] == Balance(Decimal("969.970"))
    assert balance["ADA"] == Balance(Decimal(13))


@everywhere
async def test_a_buy_can_pay_its_fee_from_the_coin_it_receives(tell: Tell) -> None:
    venue = await tell(Story(["10"] * 8, fee_in="base"))
    report = await settle(venue, order("buy", "3"))
    assert (report.fills[0].fee, report.fills[0].fee_currency) == (Decimal("0.003"), "ADA")
    balance = await venue.exchange.fetch_balance()
    assert (balance["USDT"].total, balance["ADA"].total) == (Decimal(970), Decimal("12.997"))


@everywhere
async def test_a_sell_pays_its_fee_in_quote_even_where_buys_pay_in_base(tell: Tell) -> None:
    venue = await tell(Story(["10"] * 8, fee_in="base"))
    report = await settle(venue, order("sell", "3"))
    assert (report.fills[0].fee, report.fills[0].fee_currency) == (Decimal("0.030"), "USDT")
    assert (await venue.exchange.fetch_balance())["USDT"].total == Decimal("1029.970")


@everywhere
async def test_a_resting_buy_fills_at_its_own_price_when_the_market_comes_to_it(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.60", "9.40", "9.40"], fee_in="base"))
    assert (await settle(venue, order("buy", "10", "9.50"))).status is OrderStatus.OPEN
    await venue.step()
    report = await look_up(venue)
    assert report.status is OrderStatus.CLOSED
    assert [(fill.amount, fill.price) for fill in report.fills] == [(Decimal(10), Decimal("9.50"))]


async def test_a_limit_order_fills_piece_by_piece_where_the_book_is_thin(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.50", "9.50", "9.50", "9.50"], volume="1.5"))
    first = await settle(venue, order("buy", "4", "9.50"))
    assert (first.status, first.filled) == (OrderStatus.OPEN, Decimal("1.5"))
    assert (await venue.exchange.fetch_balance())["USDT"].used == Decimal("23.77375")
    await venue.step()
    await venue.step()
    last = await look_up(venue)
    assert last.status is OrderStatus.CLOSED
    assert [fill.amount for fill in last.fills] == [Decimal("1.5"), Decimal("1.5"), Decimal("1.0")]
    assert len({fill.id for fill in last.fills}) == 3
    assert (await venue.exchange.fetch_balance())["USDT"].used == 0


async def test_what_a_market_order_cannot_fill_at_once_expires(tell: Tell) -> None:
    venue = await tell(Story(["10"] * 4, volume="1.5"))
    report = await settle(venue, order("buy", "4"))
    assert (report.status, report.filled) == (OrderStatus.EXPIRED, Decimal("1.5"))
    assert "1.5 could be filled" in report.reason
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal("984.985"))


BAD_ORDERS = [
    (order("buy", "1.05"), "amount 1.05 of ADA/USDT is not a multiple of amount_step 0.1"),
    (order("buy", "1", "9.505"), "price 9.505 of ADA/USDT is not a multiple of price_step 0.01"),
    (order("buy", "0.1"), "amount 0.1 of ADA/USDT is below amount_min 0.2"),
    (order("buy", "0.4"), "cost 4.0 of 0.4 ADA/USDT at 10 is below cost_min 5"),
    (order("buy", "0.5", "9.99"), "cost 4.995 of 0.5 ADA/USDT at 9.99 is below cost_min 5"),
    (order("buy", "100"), "insufficient funds: 1001.000 USDT needed, 1000 free"),
    (order("sell", "10.1"), "insufficient funds: 10.1 ADA needed, 10 free"),
    (order("buy", "0"), "amount 0 of ADA/USDT is not a finite number above zero"),
    (order("sell", "-1"), "amount -1 of ADA/USDT is not a finite number above zero"),
    (order("buy", "NaN"), "amount NaN of ADA/USDT is not a finite number above zero"),
    (order("buy", "1", "Infinity"), "price Infinity of ADA/USDT is not a finite number above zero"),
    (order("borrow", "1"), "side 'borrow' is neither buy nor sell"),
    (order("buy", "1", symbol="XYZ/USDT"), "XYZ/USDT is not listed here"),
    (OrderRequest("a1", SYMBOL, "buy", "limit", Decimal(1)), "a limit order needs a price"),
    (OrderRequest("a1", SYMBOL, "buy", "market", Decimal(1), Decimal(10)), "a market order has no price"),
    (OrderRequest("a1", SYMBOL, "buy", "stop", Decimal(1), Decimal(10)), "type 'stop' is neither"),
]


@pytest.mark.parametrize(("request_", "why"), BAD_ORDERS, ids=[why[:40] for _, why in BAD_ORDERS])
async def test_a_refused_order_names_the_rule_and_leaves_nothing_behind(
    tell: Tell, request_: OrderRequest, why: str
) -> None:
    venue = await tell(LEVEL)
    with pytest.raises(OrderRefused) as refused:
        await venue.exchange.create_order(request_)
    assert why in str(refused.value)
    assert await venue.exchange.fetch_order("a1", request_.symbol) is None
    assert await venue.exchange.fetch_open_orders() == []
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal(1000))


@everywhere
async def test_whatever_breaks_a_rule_is_refused_and_leaves_nothing_behind(tell: Tell) -> None:
    venue = await tell(LEVEL_IN_BASE)
    before = await venue.exchange.fetch_balance()
    too_dear = order("buy", "100.1")  # with fees in the base coin, 100 are not
    for request in (too_dear, *(bad for bad, _ in BAD_ORDERS if bad != order("buy", "100"))):
        with pytest.raises(OrderRefused):
            await venue.exchange.create_order(request)
    assert await venue.exchange.fetch_open_orders() == []
    assert await venue.exchange.fetch_order("a1", SYMBOL) is None
    assert await venue.exchange.fetch_balance() == before


async def test_a_cancel_frees_the_money_and_keeps_what_filled(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.50", "9.50"], volume="1.5"))
    await settle(venue, order("buy", "4", "9.50"))
    report = await venue.exchange.cancel_order("a1", SYMBOL)
    assert (report.status, report.filled) == (OrderStatus.CANCELED, Decimal("1.5"))
    assert await look_up(venue) == report
    assert (await venue.exchange.fetch_balance())["USDT"] == Balance(Decimal("985.73575"))


@everywhere
async def test_a_cancel_of_what_is_not_open_is_refused(tell: Tell) -> None:
    venue = await tell(LEVEL_IN_BASE)
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
    assert await look_up(venue) == accepted
    assert await venue.exchange.fetch_order("a1", "XYZ/USDT") is None


@everywhere
async def test_an_order_is_found_by_its_client_id_alone(tell: Tell) -> None:
    venue = await tell(LEVEL_IN_BASE)
    assert await venue.exchange.fetch_order("a1", SYMBOL) is None
    accepted = await venue.exchange.create_order(order("buy", "1", "9"))
    assert (await look_up(venue)).exchange_order_id == accepted.exchange_order_id
    assert await venue.exchange.fetch_order("a2", SYMBOL) is None


@everywhere
async def test_a_client_id_in_use_by_an_open_order_buys_nothing_more(tell: Tell) -> None:
    """A real exchange's refusal of the name may mean that the first request arrived: it has to be looked up."""
    venue = await tell(LEVEL_IN_BASE)
    first = await venue.exchange.create_order(order("buy", "1", "9"))
    with pytest.raises((OrderRefused, OutcomeUnknown)):
        await venue.exchange.create_order(order("buy", "1", "9"))
    (listed,) = await venue.exchange.fetch_open_orders()
    assert listed.exchange_order_id == (await look_up(venue)).exchange_order_id == first.exchange_order_id


async def test_a_client_id_in_use_by_an_open_order_is_refused(tell: Tell) -> None:
    venue = await tell(LEVEL)
    await venue.exchange.create_order(order("buy", "1", "9"))
    with pytest.raises(OrderRefused, match="a1 is in use by an open order"):
        await venue.exchange.create_order(order("sell", "1", "11"))
    assert len(await venue.exchange.fetch_open_orders()) == 1


@everywhere
async def test_a_client_id_can_be_used_again_after_its_order_ended_and_then_buys_twice(tell: Tell) -> None:
    venue = await tell(LEVEL_IN_BASE)
    first = await settle(venue, order("buy", "1"))
    second = await settle(venue, order("buy", "1"))
    assert first.exchange_order_id != second.exchange_order_id
    assert (await venue.exchange.fetch_balance())["ADA"].total == Decimal("11.998")


async def test_a_fill_of_a_resting_order_is_pushed(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.50", "9.50"]))
    await venue.exchange.create_order(order("buy", "1", "9.50"))
    await venue.step()
    async with asyncio.timeout(5):
        pushed = await venue.exchange.watch_orders()
    assert pushed[-1] == await look_up(venue)
    assert pushed[-1].status is OrderStatus.CLOSED


@everywhere
async def test_what_happens_to_an_order_is_told_without_asking(tell: Tell) -> None:
    venue = await tell(Story(["10", "9.40", "9.40"], fee_in="base"))
    await venue.stream_begins()
    await venue.exchange.create_order(order("buy", "1", "9.50"))
    await venue.step()
    async with asyncio.timeout(10):
        told: list[OrderReport] = []
        while not any(report.status is OrderStatus.CLOSED for report in told):
            told += await venue.exchange.watch_orders()
    assert {report.client_order_id for report in told} == {"a1"}
    assert {fill for report in told for fill in report.fills} == set((await look_up(venue)).fills)


@everywhere
async def test_every_trade_id_is_used_once(tell: Tell) -> None:
    venue = await tell(Story(["10"] * 12, fee_in="base"))
    fills: list[Fill] = []
    for number in range(5):
        fills += (await settle(venue, order("buy", "1", id_=f"a{number}"))).fills
    assert len({fill.id for fill in fills}) == len(fills) == 5


@everywhere
async def test_the_market_rules_are_told_and_an_unlisted_symbol_is_a_key_error(tell: Tell) -> None:
    venue = await tell(LEVEL_IN_BASE)
    assert venue.exchange.market(SYMBOL) == RULES
    with pytest.raises(KeyError):
        venue.exchange.market("XYZ/USDT")
