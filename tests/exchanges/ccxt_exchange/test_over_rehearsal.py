"""The order side against the rehearsal exchange while requests and answers get lost: what is said has to be true."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal

from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings
from services.exchanges.ccxt_exchange.account import CcxtAccount
from services.exchanges.ccxt_exchange.client import open_clients
from services.exchanges.ccxt_exchange.desk import CcxtDesk
from services.exchanges.ccxt_exchange.outcomes import OutcomeUnknown
from services.messages import CancelRefused, OrderRefused, OrderReport, OrderRequest, OrderStatus, QueryFailed

SYMBOL = "BTC/USDT"
ORDERS = int(os.environ.get("REHEARSAL_ORDERS", "80"))
AT_ONCE = 8
LATE_MS = 400
FIVE_PERCENT = Chaos(
    lost_request=0.05,
    lost_response=0.05,
    late_execution=0.05,
    late_ms_min=50,
    late_ms_max=LATE_MS,
    server_error=0.05,
    garbage=0.05,
    garbage_success=0.05,
)


@dataclass
class Told:
    """What the desk said of each order at once, by client id."""

    taken: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)


@asynccontextmanager
async def desk_at(server: Rehearsal) -> AsyncIterator[tuple[CcxtDesk, CcxtAccount]]:
    options = server.ccxt_options()
    keys = {name: options.pop(name) for name in ("apiKey", "secret")}
    options["options"] |= {"recvWindow": 1_000}
    clients = await open_clients("binance", options | {"timeout": 2_000, "rateLimit": 1}, keys)
    clients.questions.pause_s = 0.02
    account = CcxtAccount(clients)
    try:
        yield CcxtDesk(clients, account, [SYMBOL]), account
    finally:
        await clients.close()


async def place(desk: CcxtDesk, request: OrderRequest, told: Told) -> None:
    name = request.client_order_id
    try:
        report = await desk.create_order(request)
    except OrderRefused:
        told.refused.add(name)
    except OutcomeUnknown:
        told.unknown.add(name)
    else:
        (told.taken if report.exchange_order_id else told.unknown).add(name)


async def asked_until_answered(desk: CcxtDesk, name: str) -> OrderReport | None:
    """As the engine asks: again after no answer, and again while fills are missing."""
    while True:
        with suppress(QueryFailed):
            report = await desk.fetch_order(name, SYMBOL)
            if report is None or report.filled == sum((fill.amount for fill in report.fills), Decimal(0)):
                return report
        await asyncio.sleep(0.05)


async def test_no_order_is_lost_doubled_or_misread_while_one_answer_in_four_is_wrong() -> None:
    rolls = random.Random(5)
    settings = RehearsalSettings(
        ticks_per_s=0, balances={"USDT": Decimal(10**7), "BTC": Decimal(10**3)}, chaos=FIVE_PERCENT
    )
    async with Rehearsal(settings) as server, desk_at(server) as (desk, account):
        last = server.venue.desk.point(SYMBOL).last
        step = account.market(SYMBOL).price_step
        below = (last * Decimal("0.95")).quantize(step)
        told, turns = Told(), asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            side = rolls.choice(["buy", "sell"])
            rests = side == "buy" and rolls.random() < 0.5
            kind, price = ("limit", below) if rests else ("market", None)
            name = f"k3f{number:06d}e0001"
            async with turns:
                await place(desk, OrderRequest(name, SYMBOL, side, kind, Decimal("0.01"), price), told)

        await asyncio.gather(*(one(number) for number in range(ORDERS)))
        await asyncio.sleep(LATE_MS / 1000 + 0.1)  # until the last late request has arrived
        names = told.taken | told.refused | told.unknown
        assert len(names) == ORDERS
        found = {name: await asked_until_answered(desk, name) for name in sorted(names)}

        books = {order.new.client_order_id: order for order in server.venue.desk.orders.values()}
        assert {name for name, report in found.items() if report is not None} == set(books)
        assert told.taken <= set(books)
        assert not told.refused & set(books)
        assert told.unknown & set(books), "an answer was lost after its order was taken"
        assert told.unknown - set(books), "a request was lost before its order was taken"
        for name, report in found.items():
            if report is not None:
                assert report.filled == books[name].book.filled
                assert [fill.id for fill in report.fills] == [fill.id for fill in books[name].fills]
        fills = [fill for report in found.values() if report is not None for fill in report.fills]
        fees: dict[str, Decimal] = {}
        for fill in fills:
            fees[fill.fee_currency] = fees.get(fill.fee_currency, Decimal(0)) + fill.fee
        audit = server.audit()
        assert audit["duplicates"] == []
        assert audit["faults_in_the_books"] == []
        assert fees == {coin: paid for coin, paid in audit["fees"].items() if paid}


async def test_cancels_whose_answers_are_lost_are_told_apart_by_looking() -> None:
    settings = RehearsalSettings(
        ticks_per_s=0,
        balances={"USDT": Decimal(10**7)},
        chaos=FIVE_PERCENT,
    )
    async with Rehearsal(settings) as server, desk_at(server) as (desk, account):
        last = server.venue.desk.point(SYMBOL).last
        below = (last * Decimal("0.95")).quantize(account.market(SYMBOL).price_step)
        told = Told()
        for number in range(40):
            name = f"k3f{number:06d}e0001"
            await place(desk, OrderRequest(name, SYMBOL, "buy", "limit", Decimal("0.01"), below), told)
        await asyncio.sleep(LATE_MS / 1000 + 0.1)
        for name in sorted(told.taken):
            while True:
                try:
                    report = await desk.cancel_order(name, SYMBOL)
                except (CancelRefused, OutcomeUnknown, QueryFailed):
                    asked = await asked_until_answered(desk, name)
                    assert asked is not None
                    report = asked
                if report.status is OrderStatus.CANCELED:
                    break
                assert report.status is OrderStatus.OPEN
        left = {order.new.client_order_id for order in server.venue.desk.open_orders()}
        assert not left & told.taken
