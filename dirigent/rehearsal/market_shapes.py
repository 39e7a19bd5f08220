"""Markets, prices, books and candles in the forms that Binance's spot API gives them."""

from decimal import Decimal

from dirigent.rehearsal.markets import Level, Markets
from dirigent.rehearsal.order_checks import (
    AMOUNT_MAX,
    OPEN_ORDERS_MAX,
    PRICE_MULTIPLIER_DOWN,
    PRICE_MULTIPLIER_UP,
)
from dirigent.rehearsal.shapes import Json, market_id, number
from dirigent.rehearsal.tape import Candle, PublicTrade, Tape
from fsm.values import ZERO, base_of, quote_of
from services.exchanges.exact import multiply, subtract
from services.messages import MarketRules

DAY_MS = 86_400_000


def market_shape(symbol: str, rules: MarketRules) -> Json:
    return {
        "symbol": market_id(symbol),
        "status": "TRADING",
        "baseAsset": base_of(symbol),
        "baseAssetPrecision": 8,
        "quoteAsset": quote_of(symbol),
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(rules),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filters(rules: MarketRules) -> list[Json]:
    lots = {"minQty": number(rules.amount_min), "maxQty": number(AMOUNT_MAX)}
    up, down = number(PRICE_MULTIPLIER_UP), number(PRICE_MULTIPLIER_DOWN)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": number(rules.price_min),
            "maxPrice": number(ZERO if rules.price_max is None else rules.price_max),
            "tickSize": number(rules.price_step),
        },
        {"filterType": "LOT_SIZE", **lots, "stepSize": number(rules.amount_step)},
        {"filterType": "MARKET_LOT_SIZE", **lots, "stepSize": number(ZERO)},
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": 0,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": number(rules.cost_min),
            "applyMinToMarket": True,
            "maxNotional": number(AMOUNT_MAX),
            "applyMaxToMarket": False,
            "avgPriceMins": 0,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": OPEN_ORDERS_MAX},
    ]


def day_shape(markets: Markets, tape: Tape) -> Json:
    """The statistics of 24 hours, or of the time since the start."""
    day, point = tape.day, tape.point
    (bid,), (ask,) = markets.book(point, 1)
    change, percent, mean = _change(day)
    last = tape.trades[-1] if tape.trades else None
    return {
        "symbol": market_id(point.symbol),
        "priceChange": number(change),
        "priceChangePercent": percent,
        "weightedAvgPrice": number(mean),
        "prevClosePrice": number(day.open),
        "lastPrice": number(point.last),
        "lastQty": number(ZERO if last is None else last.amount),
        "bidPrice": number(bid[0]),
        "bidQty": number(bid[1]),
        "askPrice": number(ask[0]),
        "askQty": number(ask[1]),
        "openPrice": number(day.open),
        "highPrice": number(day.high),
        "lowPrice": number(day.low),
        "volume": number(day.volume),
        "quoteVolume": number(day.quote_volume),
        "openTime": tape.at_ms - DAY_MS,
        "closeTime": tape.at_ms,
        "firstId": tape.trades[0].number if tape.trades else -1,
        "lastId": -1 if last is None else last.number,
        "count": day.trades,
    }


def best_shape(markets: Markets, tape: Tape) -> Json:
    (bid,), (ask,) = markets.book(tape.point, 1)
    return {
        "symbol": market_id(tape.point.symbol),
        "bidPrice": number(bid[0]),
        "bidQty": number(bid[1]),
        "askPrice": number(ask[0]),
        "askQty": number(ask[1]),
    }


def trade_shape(trade: PublicTrade) -> Json:
    return {
        "id": trade.number,
        "price": number(trade.price),
        "qty": number(trade.amount),
        "quoteQty": number(multiply(trade.price, trade.amount)),
        "time": trade.at_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def aggregate_shape(trade: PublicTrade) -> Json:
    return {
        "a": trade.number,
        "p": number(trade.price),
        "q": number(trade.amount),
        "f": trade.number,
        "l": trade.number,
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def depth_shape(markets: Markets, tape: Tape, depth: int) -> Json:
    bids, asks = markets.book(tape.point, depth)
    return {"lastUpdateId": tape.update, "bids": level_shapes(bids), "asks": level_shapes(asks)}


def level_shapes(levels: list[Level]) -> list[list[str]]:
    return [[number(price), number(amount)] for price, amount in levels]


def candle_shape(candle: Candle, interval_ms: int) -> list[object]:
    half, half_quote = candle.volume / 2, candle.quote_volume / 2
    return [
        candle.open_ms,
        number(candle.open),
        number(candle.high),
        number(candle.low),
        number(candle.close),
        number(candle.volume),
        candle.open_ms + interval_ms - 1,
        number(candle.quote_volume),
        candle.trades,
        number(half),
        number(half_quote),
        "0",
    ]


def _change(day: Candle) -> tuple[Decimal, str, Decimal]:
    change = subtract(day.close, day.open)
    percent = f"{change / day.open * 100:.3f}"
    mean = day.close
    if day.volume:
        mean = (day.quote_volume / day.volume).quantize(Decimal("1e-8"))
    return change, percent, mean
