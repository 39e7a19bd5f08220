"""HTTP: from a request to an operation and back, with the faults that befall it on the way."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from dirigent.rehearsal.api_error import ApiError
from dirigent.rehearsal.connection import encoded
from dirigent.rehearsal.faults import Fault
from dirigent.rehearsal.operations import OPERATIONS, Access, Operation
from dirigent.rehearsal.parameters import Parameters
from dirigent.rehearsal.request_limits import RequestLimits
from dirigent.rehearsal.signatures import check_time, split_signature
from dirigent.rehearsal.venue import Venue

_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
_SERVER_ERRORS = (
    (500, "application/json", '{"code":-1000,"msg":"An unknown error occurred while processing the request."}'),
    (502, "text/html", _HTML.format("502 Bad Gateway")),
    (503, "application/json", '{"code":-1008,"msg":"Server is currently overloaded with other requests."}'),
    (504, "text/html", _HTML.format("504 Gateway Time-out")),
    (500, "application/json", '{"code":-1007,"msg":"Timeout waiting for response from backend server. '
     'Send status unknown; execution status unknown."}'),
)  # fmt: skip

_PAGE = _HTML.format("Welcome")
GARBAGE = (
    (200, None), (200, _PAGE), (200, "{}"), (200, "[]"), (200, ""),
    (302, _PAGE), (523, _PAGE), (524, _PAGE), (599, _PAGE),
)  # fmt: skip
"""Statuses and bodies; None is half of the JSON."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in."""

    operation: Operation
    parameters: Parameters
    signed_text: str
    signature: str | None
    api_key: str | None


class Rest:
    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.limits = RequestLimits(venue.settings.chaos.retry_after_s)
        self._late: set[asyncio.TimerHandle] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        operation = OPERATIONS.get(name)
        if operation is None:
            return web.Response(status=404, text=_HTML.format("404 Not Found"), content_type="text/html")
        asked = await _read(request, operation)
        await self._travel()
        venue = self._venue
        if venue.clock.in_maintenance and operation.name != "GET /sapi/v1/system/status":
            self.limits.count("maintenance")
            return web.Response(
                status=503, text=_HTML.format("503 Service Temporarily Unavailable"), content_type="text/html"
            )
        self.limits.count(name, operation.weight)
        refused = self.limits.refusal()
        if refused is None:
            fault = venue.faults.of_request(name, trades=operation.trades, creates=operation.creates)
            if fault in (Fault.RATE_LIMITED, Fault.BANNED):
                refused = self.limits.begin(ban=fault is Fault.BANNED)
        if refused is not None:
            return web.json_response(
                refused.body(), status=refused.status, headers={"Retry-After": str(self.limits.retry_after_s)}
            )
        return self._answer_with(fault, asked, request)

    def close(self) -> None:
        for timer in self._late:
            timer.cancel()

    def perform(self, asked: Asked) -> Any:
        """Checks who asks, then answers. Raises ApiError."""
        self._admit(asked)
        return asked.operation.answer(self._venue, asked.parameters)

    def _admit(self, asked: Asked) -> int:
        """Returns until when the request is good."""
        signatures, access = self._venue.signatures, asked.operation.access
        if access is Access.PUBLIC:
            return 0
        signatures.check_key(asked.api_key)
        if access is Access.KEY:
            return 0
        if asked.signature is None:
            asked.parameters.required("signature")
        good_until_ms = check_time(asked.parameters, self._venue.clock.now_ms())
        signatures.check_signature(asked.signed_text, asked.signature or "")
        return good_until_ms

    def _answer_with(self, fault: Fault | None, asked: Asked, request: web.Request) -> web.StreamResponse:
        faults = self._venue.faults
        if fault is Fault.LOST_REQUEST:
            return _cut(request)
        if fault is Fault.LATE_EXECUTION:
            self._execute_late(asked)
            return _cut(request)
        if fault is Fault.GARBAGE:
            return _garbage(faults.one_in(len(GARBAGE)), "")
        if fault is Fault.SERVER_ERROR:
            if faults.one_in(2):
                self._respond(asked)
            status, content_type, text = _SERVER_ERRORS[faults.one_in(len(_SERVER_ERRORS))]
            return web.Response(status=status, text=text, content_type=content_type)
        response = self._respond(asked)
        if fault is Fault.LOST_RESPONSE:
            return _cut(request)
        if fault is Fault.GARBAGE_SUCCESS and response.status == 200:
            return _garbage(faults.one_in(len(GARBAGE)), response.text or "")
        return response

    def _respond(self, asked: Asked) -> web.Response:
        headers = self.limits.headers()
        try:
            text = encoded(self.perform(asked))
        except ApiError as error:
            if asked.operation.creates:
                self._venue.refusals[str(error)] += 1
            return web.json_response(error.body(), status=error.status, headers=headers)
        return web.Response(text=text, content_type="application/json", headers=headers)

    def _execute_late(self, asked: Asked) -> None:
        """The request is on its way; it arrives after a while, and counts only if it is then still good."""
        chaos = self._venue.settings.chaos
        delay_s = self._venue.faults.drawn(chaos.late_ms_min, chaos.late_ms_max) / 1000
        timer: asyncio.TimerHandle

        def arrive() -> None:
            self._late.discard(timer)
            if not self._venue.clock.in_maintenance:
                self._respond(asked)

        timer = asyncio.get_running_loop().call_later(delay_s, arrive)
        self._late.add(timer)

    async def _travel(self) -> None:
        low, high = self._venue.settings.latency_ms
        if high:
            await asyncio.sleep(self._venue.faults.drawn(low, high) / 1000)


async def _read(request: web.Request, operation: Operation) -> Asked:
    body = (await request.text()) if request.can_read_body else ""
    query = request.rel_url.raw_query_string
    signed_query, query_signature = split_signature(query)
    signed_body, body_signature = split_signature(body)
    pairs = [*parse_qsl(query, keep_blank_values=True), *parse_qsl(body, keep_blank_values=True)]
    values: Mapping[str, str] = dict(pairs)
    return Asked(
        operation,
        Parameters(values),
        signed_query + signed_body,
        body_signature or query_signature,
        request.headers.get("X-MBX-APIKEY"),
    )


def _cut(request: web.Request) -> web.StreamResponse:
    """The connection breaks; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _garbage(kind: int, whole: str) -> web.Response:
    """An answer that says nothing; `whole` is what it should have said."""
    cut = whole[: max(len(whole) // 2, 1)] if len(whole) > 2 else '{"symbol":"BTCUSDT","orderId":'
    status, text = GARBAGE[kind]
    return web.Response(
        status=status,
        text=cut if text is None else text,
        content_type="text/html" if text == _PAGE else "application/json",
    )
