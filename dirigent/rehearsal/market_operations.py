"""Questions about the markets, which anybody may ask."""

import json
from collections.abc import Callable

from dirigent.rehearsal import market_shapes as shapes
from dirigent.rehearsal.api_error import ApiError, illegal
from dirigent.rehearsal.parameters import Parameters
from dirigent.rehearsal.shapes import Json, market_id, number
from dirigent.rehearsal.tape import INTERVALS_MS, Tape
from dirigent.rehearsal.venue import Venue


def ping(_venue: Venue, _parameters: Parameters) -> Json:
    return {}


def server_time(venue: Venue, _parameters: Parameters) -> Json:
    return {"serverTime": venue.clock.now_ms()}


def exchange_info(venue: Venue, parameters: Parameters) -> Json:
    return {
        "timezone": "UTC",
        "serverTime": venue.clock.now_ms(),
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
        ],
        "exchangeFilters": [],
        "symbols": [
            shapes.market_shape(symbol, venue.markets.rules[symbol]) for symbol in _symbols(venue, parameters)
        ],
    }


def no_contracts(venue: Venue, _parameters: Parameters) -> Json:
    """There are no futures here; a client that loads every kind of market finds none."""
    return {"timezone": "UTC", "serverTime": venue.clock.now_ms(), "symbols": []}


def system_status(venue: Venue, _parameters: Parameters) -> Json:
    if venue.clock.in_maintenance:
        return {"status": 1, "msg": "system_maintenance"}
    return {"status": 0, "msg": "normal"}


def depth(venue: Venue, parameters: Parameters) -> Json:
    return shapes.depth_shape(venue.markets, _tape(venue, parameters), parameters.limit(100, 5000))


def trades(venue: Venue, parameters: Parameters) -> list[Json]:
    told = list(_tape(venue, parameters).trades)
    return [shapes.trade_shape(trade) for trade in told[-parameters.limit(500, 1000) :]]


def aggregate_trades(venue: Venue, parameters: Parameters) -> list[Json]:
    start = parameters.integer("startTime", 0) or 0
    end = parameters.integer("endTime")
    told = [
        trade
        for trade in _tape(venue, parameters).trades
        if trade.at_ms >= start and (end is None or trade.at_ms <= end)
    ]
    return [shapes.aggregate_shape(trade) for trade in told[-parameters.limit(500, 1000) :]]


def candles(venue: Venue, parameters: Parameters) -> list[list[object]]:
    tape = _tape(venue, parameters)
    interval_ms = INTERVALS_MS.get(parameters.required("interval"))
    if interval_ms is None:
        raise ApiError(-1120, "Invalid interval.")
    start, end = parameters.integer("startTime"), parameters.integer("endTime")
    told = [
        candle
        for candle in tape.candles(interval_ms)
        if (start is None or candle.open_ms >= start) and (end is None or candle.open_ms <= end)
    ]
    limit = parameters.limit(500, 1000)
    told = told[-limit:] if start is None else told[:limit]
    return [shapes.candle_shape(candle, interval_ms) for candle in told]


def average_price(venue: Venue, parameters: Parameters) -> Json:
    tape = _tape(venue, parameters)
    return {"mins": 5, "price": number(tape.point.last), "closeTime": tape.at_ms}


def day(venue: Venue, parameters: Parameters) -> Json | list[Json]:
    return _each(venue, parameters, lambda tape: shapes.day_shape(venue.markets, tape))


def price(venue: Venue, parameters: Parameters) -> Json | list[Json]:
    return _each(
        venue,
        parameters,
        lambda tape: {"symbol": market_id(tape.point.symbol), "price": number(tape.point.last)},
    )


def best(venue: Venue, parameters: Parameters) -> Json | list[Json]:
    return _each(venue, parameters, lambda tape: shapes.best_shape(venue.markets, tape))


def _each(venue: Venue, parameters: Parameters, shape: Callable[[Tape], Json]) -> Json | list[Json]:
    """One answer for one symbol; a list for several, or for all when none is named."""
    told = [shape(venue.markets.tapes[symbol]) for symbol in _symbols(venue, parameters)]
    return told[0] if parameters.optional("symbol") else told


def _symbols(venue: Venue, parameters: Parameters) -> list[str]:
    one, several = parameters.optional("symbol"), parameters.optional("symbols")
    if one is not None:
        return [venue.markets.symbol_of(one)]
    if several is None:
        return list(venue.markets.tapes)
    try:
        named = json.loads(several)
    except json.JSONDecodeError:
        named = None
    if not isinstance(named, list):
        raise illegal("symbols", '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$')
    return [venue.markets.symbol_of(str(name)) for name in named]


def _tape(venue: Venue, parameters: Parameters) -> Tape:
    return venue.markets.tapes[venue.markets.symbol_of(parameters.required("symbol"))]
