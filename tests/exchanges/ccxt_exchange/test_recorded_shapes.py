"""What five exchanges send, through ccxt's own parsers and ours, offline: the same story has to come out."""

from dataclasses import dataclass
from decimal import Decimal, Inexact, localcontext
from typing import Any

import pytest

from fsm.records import Fill
from services.exchanges.ccxt_exchange.client import make_clients
from services.exchanges.ccxt_exchange.parsing import Unreadable, fill_of, number, report_of
from services.messages import OrderRequest, OrderStatus
from tests.exchanges.ccxt_exchange.scripted import SYMBOL, market_of
from tests.exchanges.ccxt_exchange.shapes import binance, bybit, coinbase, kraken, okx
from tests.exchanges.ccxt_exchange.shapes.binance import binance_order, binance_trade
from tests.exchanges.ccxt_exchange.shapes.story import NAME


@dataclass(frozen=True, slots=True)
class Shape:
    ticker: dict[str, Any]
    has_time: bool
    order: dict[str, Any]
    trade: dict[str, Any]
    trade_id: str
    fee: tuple[str, str]


SHAPES = {
    "binance": Shape(
        binance.TICKER,
        True,
        binance_order(status="PARTIALLY_FILLED", executedQty="0.20000000", cummulativeQuoteQty="19.90000000"),
        binance_trade(7, "0.20000000", "99.50000000", "0.00020000", "BTC"),
        "7",
        ("0.0002", "BTC"),
    ),
    "kraken": Shape(
        kraken.TICKER,
        False,
        kraken.ORDER | {"id": "OTLAS3-RRHUF-NDWH5A"},
        kraken.TRADE | {"id": "TT5UC3-GOIRW-6AZZ6R"},
        "TT5UC3-GOIRW-6AZZ6R",
        ("0.03184", "USDT"),
    ),
    "coinbase": Shape(
        coinbase.TICKER,
        True,
        coinbase.ORDER,
        coinbase.TRADE,
        "1111-11111-111111",
        ("0.0398", "USDT"),
    ),
    "bybit": Shape(
        bybit.TICKER,
        False,
        bybit.ORDER,
        bybit.TRADE,
        "2290000000007764263",
        ("0.0002", "BTC"),
    ),
    "okx": Shape(okx.TICKER, True, okx.ORDER, okx.TRADE, "242589207", ("0.0002", "BTC")),
}


@dataclass(frozen=True, slots=True)
class Parser:
    """A ccxt instance that has its market and no connection."""

    exchange: Any
    shape: Shape

    def order(self) -> Any:
        return self.exchange.parse_order(self.shape.order, self.exchange.market(SYMBOL))

    def trade(self) -> Any:
        return self.exchange.parse_trade(self.shape.trade, self.exchange.market(SYMBOL))


@pytest.fixture(params=SHAPES, scope="module")
def parser(request: pytest.FixtureRequest) -> Parser:
    exchange = make_clients(request.param, {}).queries
    exchange.set_markets([market_of(request.param)])
    return Parser(exchange, SHAPES[request.param])


def test_a_ticker_has_exact_numbers_and_a_time_where_the_exchange_sends_one(parser: Parser) -> None:
    raw = parser.shape.ticker
    if parser.exchange.id == "coinbase":
        raw = {**raw["trades"][0], "best_bid": raw["best_bid"], "best_ask": raw["best_ask"]}
        raw["bid"], raw["ask"] = raw["best_bid"], raw["best_ask"]
    ticker = parser.exchange.parse_ticker(raw, parser.exchange.market(SYMBOL))
    for name, wanted in (("last", "100.05"), ("bid", "100"), ("ask", "100.1")):
        assert isinstance(ticker[name], str), name
        assert number(ticker[name], name) == Decimal(wanted)
    assert (ticker["timestamp"] == 1_700_000_000_600) is parser.shape.has_time


def test_a_partly_filled_order_reads_the_same_everywhere(parser: Parser) -> None:
    report = report_of(parser.order(), trades=[parser.trade()], is_listed=True)
    assert (report.client_order_id, report.symbol) == (NAME, SYMBOL)
    assert report.exchange_order_id
    assert (report.status, report.filled) == (OrderStatus.OPEN, Decimal("0.2"))
    assert report.request == OrderRequest(NAME, SYMBOL, "buy", "limit", Decimal("0.5"), Decimal(100))


def test_a_trade_keeps_its_id_its_price_and_its_fee(parser: Parser) -> None:
    fee, coin = parser.shape.fee
    assert fill_of(parser.trade(), NAME, SYMBOL) == Fill(
        parser.shape.trade_id,
        NAME,
        SYMBOL,
        "buy",
        Decimal("0.2"),
        Decimal("99.5"),
        Decimal(fee),
        coin,
        1_700_000_000_600,
    )


def test_no_digit_depends_on_the_threads_decimal_context(parser: Parser) -> None:
    order, trade = parser.order(), parser.trade()
    with localcontext() as context:
        context.prec = 2
        context.traps[Inexact] = True
        report = report_of({**order, "filled": "0.2000000000000000000000000000001"}, trades=[trade, trade])
    assert report.filled == Decimal("0.4")
    assert [fill.price for fill in report.fills] == [Decimal("99.5")] * 2


def test_an_order_that_is_only_named_counts_as_open() -> None:
    report = report_of({"id": 17, "status": None}, client_order_id=NAME, symbol=SYMBOL)
    assert (report.exchange_order_id, report.status, report.filled) == ("17", OrderStatus.OPEN, Decimal(0))


def test_an_order_that_somebody_placed_without_a_name_has_none() -> None:
    for unnamed in ("0", "", None):
        assert report_of({"id": 17, "clientOrderId": unnamed, "symbol": SYMBOL}).client_order_id == ""


def test_a_trade_without_id_price_or_fee_is_not_booked() -> None:
    whole = {
        "id": "1",
        "amount": "1",
        "price": "2",
        "side": "buy",
        "timestamp": 5,
        "fee": {"cost": "0", "currency": "BTC"},
    }
    assert fill_of(whole, NAME, SYMBOL) is not None
    for missing in ("id", "amount", "price", "side", "timestamp", "fee"):
        assert fill_of({**whole, missing: None}, NAME, SYMBOL) is None, missing


def test_of_fees_in_two_coins_the_markets_own_counts() -> None:
    trade = {
        "id": "1",
        "amount": "1",
        "price": "2",
        "side": "buy",
        "timestamp": 5,
        "fees": [{"cost": "0.5", "currency": "GT"}, {"cost": "0.001", "currency": "BTC"}],
    }
    fill = fill_of(trade, NAME, SYMBOL)
    assert fill is not None
    assert (fill.fee, fill.fee_currency) == (Decimal("0.001"), "BTC")


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "12,5", "abc"])
def test_what_is_no_finite_number_is_not_read_as_one(wrong: str) -> None:
    with pytest.raises(Unreadable, match="filled"):
        report_of({"id": "1", "filled": wrong}, client_order_id=NAME, symbol=SYMBOL)
