"""Questions about the account, and orders: what a signed request may ask for."""

from decimal import Decimal

from dirigent.rehearsal import shapes
from dirigent.rehearsal.api_error import CANCEL_UNKNOWN, NO_SUCH_ORDER, ApiError, missing
from dirigent.rehearsal.parameters import Parameters
from dirigent.rehearsal.placed_order import NewOrder, PlacedOrder
from dirigent.rehearsal.shapes import Json, number
from dirigent.rehearsal.venue import Venue
from fsm.values import ZERO, base_of, quote_of

_SIDES = {"BUY": "buy", "SELL": "sell"}
_KINDS = ("MARKET", "LIMIT", "LIMIT_MAKER")
_TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
_DETAILS = ("ACK", "RESULT", "FULL")


def create(venue: Venue, parameters: Parameters) -> Json:
    new = read_order(venue, parameters)
    detail = parameters.optional("newOrderRespType") or ("ACK" if new.kind == "LIMIT_MAKER" else "FULL")
    if detail not in _DETAILS:
        raise ApiError(-1135, "Invalid newOrderRespType.")
    return shapes.created_shape(venue.place(new), detail)


def test_order(venue: Venue, parameters: Parameters) -> Json:
    read_order(venue, parameters)
    return {}


def cancel(venue: Venue, parameters: Parameters) -> Json:
    order = _found(venue, parameters, CANCEL_UNKNOWN)
    cancel_id = parameters.client_id("newClientOrderId") or venue.made_up_id()
    venue.desk.cancel(order, cancel_id, venue.clock.now_ms())
    return shapes.cancelled_shape(order)


def cancel_all(venue: Venue, parameters: Parameters) -> list[Json]:
    symbol = venue.markets.symbol_of(parameters.required("symbol"))
    orders = venue.desk.open_orders(symbol)
    if not orders:
        raise ApiError(*CANCEL_UNKNOWN)
    for order_ in orders:
        venue.desk.cancel(order_, venue.made_up_id(), venue.clock.now_ms())
    return [shapes.cancelled_shape(order_) for order_ in orders]


def order(venue: Venue, parameters: Parameters) -> Json:
    return shapes.order_shape(_found(venue, parameters, NO_SUCH_ORDER))


def open_orders(venue: Venue, parameters: Parameters) -> list[Json]:
    market_id = parameters.optional("symbol")
    symbol = None if market_id is None else venue.markets.symbol_of(market_id)
    return [shapes.order_shape(order_) for order_ in venue.desk.open_orders(symbol)]


def all_orders(venue: Venue, parameters: Parameters) -> list[Json]:
    symbol = venue.markets.symbol_of(parameters.required("symbol"))
    first = parameters.integer("orderId")
    start, end = parameters.integer("startTime", 0) or 0, parameters.integer("endTime")
    told = [
        order_
        for order_ in venue.desk.of_symbol(symbol)
        if order_.placed_at_ms >= start
        and (end is None or order_.placed_at_ms <= end)
        and (first is None or order_.number >= first)
    ]
    limit = parameters.limit(500, 1000)
    told = told[:limit] if first is not None else told[-limit:]
    return [shapes.order_shape(order_) for order_ in told]


def my_trades(venue: Venue, parameters: Parameters) -> list[Json]:
    symbol = venue.markets.symbol_of(parameters.required("symbol"))
    number_, first = parameters.integer("orderId"), parameters.integer("fromId")
    start, end = parameters.integer("startTime", 0) or 0, parameters.integer("endTime")
    told = [
        trade
        for order_ in venue.desk.of_symbol(symbol)
        if number_ is None or order_.number == number_
        for trade in shapes.trade_shapes(order_)
        if trade["time"] >= start
        and (end is None or trade["time"] <= end)
        and (first is None or trade["id"] >= first)
    ]
    told.sort(key=lambda trade: trade["id"])
    limit = parameters.limit(500, 1000)
    return told[:limit] if first is not None else told[-limit:]


def account(venue: Venue, parameters: Parameters) -> Json:
    balances = shapes.balances_shape(venue.desk)
    if parameters.optional("omitZeroBalances") == "true":
        balances = [row for row in balances if Decimal(row["free"]) or Decimal(row["locked"])]
    rate = number(venue.desk.commission.rate)
    return {
        "makerCommission": int(venue.desk.commission.rate * 10_000),
        "takerCommission": int(venue.desk.commission.rate * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": rate, "taker": rate, "buyer": number(ZERO), "seller": number(ZERO)},
        "canTrade": True,
        "canWithdraw": venue.settings.may_withdraw,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": venue.clock.now_ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 1,
    }


def commission(venue: Venue, parameters: Parameters) -> Json:
    symbol = venue.markets.symbol_of(parameters.required("symbol"))
    rate, none = number(venue.desk.commission.rate), number(ZERO)
    return {
        "symbol": shapes.market_id(symbol),
        "standardCommission": {"maker": rate, "taker": rate, "buyer": none, "seller": none},
        "taxCommission": {"maker": none, "taker": none, "buyer": none, "seller": none},
        "discount": {
            "enabledForAccount": venue.settings.fee_coin is not None,
            "enabledForSymbol": True,
            "discountAsset": venue.settings.fee_coin or "BNB",
            "discount": "0.75000000",
        },
    }


def create_listen_key(venue: Venue, _parameters: Parameters) -> Json:
    return {"listenKey": venue.users.new_listen_key()}


def keep_listen_key(venue: Venue, parameters: Parameters) -> Json:
    _refuse_unknown_listen_key(venue, parameters.required("listenKey"))
    return {}


def close_listen_key(venue: Venue, parameters: Parameters) -> Json:
    listen_key = parameters.required("listenKey")
    _refuse_unknown_listen_key(venue, listen_key)
    venue.users.listen_keys.discard(listen_key)
    return {}


def coins(venue: Venue, _parameters: Parameters) -> list[Json]:
    named = {currency for symbol in venue.markets.tapes for currency in (base_of(symbol), quote_of(symbol))}
    balances = venue.desk.ledger.balances()
    return [
        {
            "coin": coin,
            "name": coin,
            "depositAllEnable": True,
            "withdrawAllEnable": False,
            "free": number(balances[coin].free if coin in balances else ZERO),
            "locked": number(balances[coin].used if coin in balances else ZERO),
            "freeze": "0",
            "withdrawing": "0",
            "ipoing": "0",
            "ipoable": "0",
            "storage": "0",
            "isLegalMoney": False,
            "trading": True,
            "networkList": [],
        }
        for coin in sorted(named | set(balances))
    ]


def restrictions(venue: Venue, _parameters: Parameters) -> Json:
    return {
        "ipRestrict": True,
        "createTime": venue.clock.now_ms(),
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": venue.settings.may_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
    }


def trade_fees(venue: Venue, parameters: Parameters) -> list[Json]:
    named = parameters.optional("symbol")
    rate = number(venue.desk.commission.rate)
    return [
        {"symbol": market_id, "makerCommission": rate, "takerCommission": rate}
        for market_id in venue.markets.ids
        if named is None or market_id == named
    ]


def no_margin(_venue: Venue, _parameters: Parameters) -> list[Json]:
    """There is no margin trading here; a client that asks for its pairs is told of none."""
    return []


def read_order(venue: Venue, parameters: Parameters) -> NewOrder:
    """A new order as it is asked for. Raises ApiError for whatever Binance would not read."""
    symbol = venue.markets.symbol_of(parameters.required("symbol"))
    side = _SIDES.get(parameters.required("side"))
    kind = parameters.required("type")
    if side is None:
        raise ApiError(-1117, "Invalid side.")
    if kind not in _KINDS:
        raise ApiError(-1116, "Invalid orderType.")
    amount, price = parameters.decimal("quantity"), parameters.decimal("price")
    quote_amount = parameters.decimal("quoteOrderQty")
    time_in_force = _time_in_force(kind, parameters)
    if kind == "MARKET":
        if price is not None:
            raise ApiError(-1106, "Parameter 'price' sent when not required.")
        if quote_amount is not None:
            if amount is not None:
                raise ApiError(-1128, "Combination of optional parameters invalid.")
            amount = venue.desk.amount_for(symbol, side, quote_amount)
    elif price is None:
        raise missing("price")
    if amount is None:
        raise missing("quantity")
    client_order_id = parameters.client_id("newClientOrderId") or venue.made_up_id()
    return NewOrder(symbol, side, kind, time_in_force, client_order_id, amount, price, quote_amount or ZERO)


def _time_in_force(kind: str, parameters: Parameters) -> str:
    if kind != "LIMIT":
        if parameters.optional("timeInForce"):
            raise ApiError(-1106, "Parameter 'timeInForce' sent when not required.")
        return "GTC"
    time_in_force = parameters.required("timeInForce")
    if time_in_force not in _TIMES_IN_FORCE:
        raise ApiError(-1115, "Invalid timeInForce.")
    return time_in_force


def _found(venue: Venue, parameters: Parameters, otherwise: tuple[int, str]) -> PlacedOrder:
    symbol = venue.markets.symbol_of(parameters.required("symbol"))
    number_ = parameters.integer("orderId")
    client_order_id = parameters.optional("origClientOrderId")
    if number_ is None and client_order_id is None:
        raise ApiError(
            -1128, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    found = venue.desk.find(symbol, number_, client_order_id)
    if found is None:
        raise ApiError(*otherwise)
    return found


def _refuse_unknown_listen_key(venue: Venue, listen_key: str) -> None:
    if listen_key not in venue.users.listen_keys:
        raise ApiError(-1125, "This listenKey does not exist.")
