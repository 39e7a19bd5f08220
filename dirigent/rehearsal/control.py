"""What a person may do to the rehearsal while it runs: read the reckoning, arm a fault, move a price."""

from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from dirigent.output import plain
from dirigent.rehearsal.audit import audit, order_list
from dirigent.rehearsal.faults import Fault
from dirigent.rehearsal.operations import OPERATIONS
from dirigent.rehearsal.request_limits import RequestLimits
from dirigent.rehearsal.venue import Venue


class Control:
    def __init__(self, venue: Venue, limits: RequestLimits) -> None:
        self._venue = venue
        self._limits = limits

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/rehearsal/audit", self._audit),
            web.get("/rehearsal/orders", self._orders),
            web.post("/rehearsal/fault", self._arm),
            web.post("/rehearsal/price", self._move),
        ]

    async def _audit(self, _request: web.Request) -> web.Response:
        return web.json_response(plain(audit(self._venue, self._limits.counts)))

    async def _orders(self, _request: web.Request) -> web.Response:
        return web.json_response(plain(order_list(self._venue.desk)))

    async def _arm(self, request: web.Request) -> web.Response:
        """`?name=lost_response[&times=3][&on=GET /api/v3/order]`."""
        name, on = request.query.get("name", ""), request.query.get("on", "")
        times = request.query.get("times", "1")
        if name not in list(Fault):
            return _refused(f"no such fault {name!r}; choose one of {', '.join(Fault)}")
        known = ("market", "user", *OPERATIONS)
        if on and on not in known:
            return _refused(f"no such request or connection {on!r}; choose one of {', '.join(known)}")
        if not times.isdigit() or not int(times):
            return _refused(f"times {times!r} is not a number of at least 1")
        self._venue.faults.arm(Fault(name), int(times), on)
        return web.json_response({"armed": name, "times": int(times)})

    async def _move(self, request: web.Request) -> web.Response:
        """`?symbol=BTC/USDT&last=64000`."""
        symbol, last = request.query.get("symbol", ""), request.query.get("last", "")
        if symbol not in self._venue.markets.tapes:
            return _refused(
                f"no such market {symbol!r}; choose one of {', '.join(self._venue.markets.tapes)}"
            )
        try:
            price = Decimal(last)
        except InvalidOperation:
            price = Decimal(0)
        if not price.is_finite() or price < self._venue.markets.listings[symbol].rules.price_step:
            return _refused(f"last {last!r} is not a price of {symbol}")
        self._venue.move_to(symbol, price)
        return web.json_response({"symbol": symbol, "last": str(self._venue.desk.point(symbol).last)})


def _refused(message: str) -> web.Response:
    refusal: dict[str, Any] = {"error": message}
    return web.json_response(refusal, status=400)
