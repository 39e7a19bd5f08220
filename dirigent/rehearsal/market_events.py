"""What the market streams say at each price, in the forms of Binance's spot streams."""

from dirigent.rehearsal.market_shapes import aggregate_shape, best_shape, day_shape, level_shapes
from dirigent.rehearsal.markets import Markets
from dirigent.rehearsal.shapes import Json, market_id, number
from dirigent.rehearsal.tape import Tape


def day_event(markets: Markets, tape: Tape) -> Json:
    """The same on the stream `<symbol>@ticker`."""
    shape = day_shape(markets, tape)
    return {
        "e": "24hrTicker",
        "E": tape.at_ms,
        **{short: shape[long] for short, long in _DAY_NAMES},
    }


_DAY_NAMES = (
    ("s", "symbol"),
    ("p", "priceChange"),
    ("P", "priceChangePercent"),
    ("w", "weightedAvgPrice"),
    ("x", "prevClosePrice"),
    ("c", "lastPrice"),
    ("Q", "lastQty"),
    ("b", "bidPrice"),
    ("B", "bidQty"),
    ("a", "askPrice"),
    ("A", "askQty"),
    ("o", "openPrice"),
    ("h", "highPrice"),
    ("l", "lowPrice"),
    ("v", "volume"),
    ("q", "quoteVolume"),
    ("O", "openTime"),
    ("C", "closeTime"),
    ("F", "firstId"),
    ("L", "lastId"),
    ("n", "count"),
)


def mini_event(tape: Tape) -> Json:
    day = tape.day
    return {
        "e": "24hrMiniTicker",
        "E": tape.at_ms,
        "s": market_id(tape.point.symbol),
        "c": number(tape.point.last),
        "o": number(day.open),
        "h": number(day.high),
        "l": number(day.low),
        "v": number(day.volume),
        "q": number(day.quote_volume),
    }


def best_event(markets: Markets, tape: Tape) -> Json:
    shape = best_shape(markets, tape)
    return {
        "u": tape.update,
        "s": shape["symbol"],
        "b": shape["bidPrice"],
        "B": shape["bidQty"],
        "a": shape["askPrice"],
        "A": shape["askQty"],
    }


def trade_event(tape: Tape) -> Json:
    trade = tape.trades[-1]
    return {
        "e": "trade",
        "E": trade.at_ms,
        "s": market_id(tape.point.symbol),
        "t": trade.number,
        "p": number(trade.price),
        "q": number(trade.amount),
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def aggregate_event(tape: Tape) -> Json:
    trade = tape.trades[-1]
    symbol = market_id(tape.point.symbol)
    return {"e": "aggTrade", "E": trade.at_ms, "s": symbol, **aggregate_shape(trade)}


def depth_event(markets: Markets, tape: Tape) -> Json:
    bids, asks = markets.changes(tape)
    return {
        "e": "depthUpdate",
        "E": tape.at_ms,
        "s": market_id(tape.point.symbol),
        "U": tape.update,
        "u": tape.update,
        "b": level_shapes(bids),
        "a": level_shapes(asks),
    }


def candle_event(tape: Tape, interval: str, interval_ms: int) -> Json:
    candle = tape.last_candle(interval_ms)
    symbol = market_id(tape.point.symbol)
    return {
        "e": "kline",
        "E": tape.at_ms,
        "s": symbol,
        "k": {
            "t": candle.open_ms,
            "T": candle.open_ms + interval_ms - 1,
            "s": symbol,
            "i": interval,
            "f": -1,
            "L": -1,
            "o": number(candle.open),
            "c": number(candle.close),
            "h": number(candle.high),
            "l": number(candle.low),
            "v": number(candle.volume),
            "n": candle.trades,
            "x": False,
            "q": number(candle.quote_volume),
            "V": number(candle.volume / 2),
            "Q": number(candle.quote_volume / 2),
            "B": "0",
        },
    }
