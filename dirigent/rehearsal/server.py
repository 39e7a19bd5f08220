"""The rehearsal exchange as a server: HTTP and websockets on one port, for as long as a block lasts."""

import asyncio
from typing import Any, Self

from aiohttp import web

from dirigent.rehearsal.audit import audit
from dirigent.rehearsal.connection import Connection
from dirigent.rehearsal.control import Control
from dirigent.rehearsal.faults import Fault
from dirigent.rehearsal.own_address import is_every_address, reachable_host
from dirigent.rehearsal.rest import Rest
from dirigent.rehearsal.settings import RehearsalSettings
from dirigent.rehearsal.streams import Streams
from dirigent.rehearsal.venue import Venue
from services.tasks import end_tasks

_GOODBYE_S = 0.5


class Rehearsal:
    """`async with Rehearsal(settings) as server`: then `server.url` answers, and prices move."""

    def __init__(self, settings: RehearsalSettings | None = None) -> None:
        self.settings = settings or RehearsalSettings()
        self.host, self.port = self.settings.host, self.settings.port
        """Where clients find it."""
        self.listens_everywhere = False
        self.venue = Venue(self.settings)
        self._rest = Rest(self.venue)
        self._streams = Streams(self.venue, self._rest)
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(
            self._application(), access_log=None, handle_signals=False, shutdown_timeout=_GOODBYE_S
        )
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self.settings.host, self.settings.port)
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        bound_to, self.port = self._runner.addresses[0][:2]
        self.listens_everywhere = is_every_address(bound_to)
        if self.listens_everywhere:
            self.host = reachable_host(bound_to)
        self._tasks.append(asyncio.create_task(self._streams.each_second()))
        if self.settings.state is not None:
            self._tasks.append(asyncio.create_task(self.venue.save_each_second()))
        if self.settings.ticks_per_s:
            self._tasks.append(asyncio.create_task(self.venue.pump()))
        return self

    async def __aexit__(self, *_exception: object) -> None:
        faults = await end_tasks(self._tasks)
        self._rest.close()
        self.venue.users.close()
        await self._streams.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.venue.save(even_unchanged=True)
        for fault in faults:
            if fault is not None:
                raise fault

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        host = self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def connections(self) -> list[Connection]:
        """The open websockets, the oldest first."""
        return list(self._streams.connections)

    def arm(self, fault: str, times: int = 1, on: str = "") -> None:
        """The next so many things that this fault can befall, it befalls; see `Faults.arm`."""
        self.venue.faults.arm(Fault(fault), times, on)

    def audit(self) -> dict[str, Any]:
        return audit(self.venue, self._rest.limits.counts)

    def ccxt_options(self) -> dict[str, Any]:
        """What the constructor of ccxt's Binance client needs to trade here, and nowhere else."""
        http, sockets = self.url, f"ws://{self.address}"
        return {
            "apiKey": self.settings.api_key,
            "secret": self.settings.secret,
            "urls": {
                "api": {
                    "public": f"{http}/api/v3",
                    "private": f"{http}/api/v3",
                    "v1": f"{http}/api/v1",
                    "sapi": f"{http}/sapi/v1",
                    "fapiPublic": f"{http}/fapi/v1",
                    "dapiPublic": f"{http}/dapi/v1",
                    "ws": {"spot": f"{sockets}/stream/ws", "ws-api": {"spot": f"{sockets}/ws-api/v3"}},
                }
            },
            "options": {"fetchMarkets": {"types": ["spot"]}},
        }

    def _application(self) -> web.Application:
        application = web.Application()
        application.add_routes(Control(self.venue, self._rest.limits).routes())
        application.add_routes(
            [
                web.get("/stream", self._streams.market),
                web.get("/stream/ws", self._streams.market),
                web.get("/stream/ws/{names:.*}", self._streams.market),
                web.get("/ws", self._streams.market),
                web.get("/ws/{names:.*}", self._streams.market),
                web.get("/ws-api/v3", self._streams.websocket_api),
                web.route("*", "/{path:.*}", self._rest.handle),
            ]
        )
        return application
