"""Websockets: market streams on `/stream` and `/ws`, and the websocket API with the user stream."""

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from dirigent.rehearsal.api_error import ApiError, missing
from dirigent.rehearsal.connection import Connection, encoded
from dirigent.rehearsal.faults import Fault
from dirigent.rehearsal.operations import OPERATIONS, WS_METHODS, Access
from dirigent.rehearsal.parameters import Parameters
from dirigent.rehearsal.rest import Rest
from dirigent.rehearsal.signatures import check_time
from dirigent.rehearsal.venue import Venue

_PING_EVERY_S = 20.0


class Streams:
    def __init__(self, venue: Venue, rest: Rest) -> None:
        self._venue = venue
        self._rest = rest
        self.connections: dict[Connection, None] = {}
        """In the order in which they came."""

    async def market(self, request: web.Request) -> web.StreamResponse:
        """`/ws/<name>[/<name>...]`, `/stream?streams=<name>[/<name>...]`, a listen key, or nothing yet."""
        names = [name for name in request.match_info.get("names", "").split("/") if name]
        combined = [name for name in request.query.get("streams", "").split("/") if name]
        listen_keys = [name for name in names if name in self._venue.users.listen_keys]
        wanted = [name for name in names if not name.isdigit() and name not in listen_keys] + combined
        if self._venue.clock.in_maintenance:
            return web.Response(status=503)
        async with _Opened(self, request, "user" if listen_keys else "market") as connection:
            if "streams" in request.query:
                self._venue.feeds.wrap(connection)
            try:
                self._venue.feeds.subscribe(connection, wanted)
            except ValueError:
                return connection.socket
            if listen_keys:
                self._venue.users.subscribe(connection, bare=True)
            await self._converse(connection, self._market_answer)
            return connection.socket

    async def websocket_api(self, request: web.Request) -> web.StreamResponse:
        if self._venue.clock.in_maintenance:
            return web.Response(status=503)
        async with _Opened(self, request, "user") as connection:
            await self._converse(connection, self._api_answer)
            return connection.socket

    async def each_second(self) -> None:
        """Faults of connections, and the end of all of them when maintenance begins."""
        while True:
            await asyncio.sleep(1)
            self._venue.feeds.told_all()
            if self._venue.clock.in_maintenance:
                for connection in list(self.connections):
                    await connection.close()
                continue
            for connection in list(self.connections):
                fault = self._venue.faults.of_second(connection.kind)
                if fault is Fault.DISCONNECT:
                    connection.cut()
                elif fault is Fault.STALL:
                    connection.stall(self._venue.settings.chaos.stall_s)

    async def close(self) -> None:
        for connection in list(self.connections):
            await connection.close()

    def forget(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        self._venue.feeds.forget(connection)
        self._venue.users.forget(connection)

    async def _converse(self, connection: Connection, answer: Any) -> None:
        async for message in connection.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                asked = json.loads(message.data)
            except json.JSONDecodeError:
                asked = None
            if not isinstance(asked, dict):
                connection.send(encoded({"error": {"code": 3, "msg": "Invalid JSON"}}))
                continue
            connection.send(encoded(answer(connection, asked)))

    def _market_answer(self, connection: Connection, asked: dict[str, Any]) -> dict[str, Any]:
        number, feeds, method = asked.get("id"), self._venue.feeds, asked.get("method")
        given = asked.get("params")
        names = [str(name) for name in given] if isinstance(given, list) else []
        try:
            if method == "SUBSCRIBE":
                feeds.subscribe(connection, names)
            elif method == "UNSUBSCRIBE":
                feeds.unsubscribe(connection, names)
            elif method == "LIST_SUBSCRIPTIONS":
                return {"result": feeds.names_of(connection), "id": number}
            else:
                return {"error": {"code": 2, "msg": "Invalid request: unknown method"}, "id": number}
        except ValueError:
            return {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": number}
        return {"result": None, "id": number}

    def _api_answer(self, connection: Connection, asked: dict[str, Any]) -> dict[str, Any]:
        number, method = asked.get("id"), str(asked.get("method"))
        given = asked.get("params") or {}
        values = {name: _text(value) for name, value in given.items() if value is not None}
        try:
            result = self._api_result(connection, method, values)
        except ApiError as error:
            return {"id": number, "status": error.status, "error": error.body()}
        return {"id": number, "status": 200, "result": result}

    def _api_result(self, connection: Connection, method: str, values: dict[str, str]) -> Any:
        if method == "userDataStream.subscribe.signature":
            self._check_signed(values)
            return {"subscriptionId": self._venue.users.subscribe(connection)}
        if method == "userDataStream.unsubscribe":
            number = Parameters(values).integer("subscriptionId")
            self._venue.users.forget(connection, number)
            return {}
        name = WS_METHODS.get(method)
        if name is None:
            raise ApiError(-1020, "This operation is not supported.")
        operation = OPERATIONS[name]
        self._rest.limits.count(f"ws {method}", operation.weight)
        if operation.access is not Access.PUBLIC:
            self._check_signed(values)
        return operation.answer(self._venue, Parameters(values))

    def _check_signed(self, values: dict[str, str]) -> None:
        """Signed is everything but the signature, by name in order."""
        self._venue.signatures.check_key(values.get("apiKey"))
        signature = values.get("signature")
        if signature is None:
            raise missing("signature")
        check_time(Parameters(values), self._venue.clock.now_ms())
        payload = "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
        self._venue.signatures.check_signature(payload, signature)


class _Opened:
    """A connection for as long as a block lasts, forgotten by everybody after it."""

    def __init__(self, streams: Streams, request: web.Request, kind: str) -> None:
        self._streams = streams
        self._kind = kind
        self._request = request

    async def __aenter__(self) -> Connection:
        socket = web.WebSocketResponse(heartbeat=_PING_EVERY_S, timeout=0.5)
        await socket.prepare(self._request)
        self._connection = Connection(socket, self._request, self._kind)
        self._streams.connections[self._connection] = None
        return self._connection

    async def __aexit__(self, *_exception: object) -> None:
        self._streams.forget(self._connection)
        await self._connection.stop()


def _text(value: Any) -> str:
    """A parameter as it is signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return encoded(value)
    return str(value)
