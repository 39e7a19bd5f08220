"""One websocket of the rehearsal exchange: what it is owed is written in order, beside everything else."""

import asyncio
from collections import deque
from typing import Any

import msgspec
from aiohttp import web

from services.tasks import end_tasks

_BACKLOG_MAX = 50_000
"""Frames that a slow reader may be behind before it is cut off."""

_encode = msgspec.json.Encoder().encode


def encoded(document: Any) -> str:
    return _encode(document).decode()


class Connection:
    """`send` never waits. While it is stalled, frames are dropped and the socket stays open."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, kind: str) -> None:
        self.socket = socket
        self.kind = kind
        """`market`, or `user` where the user stream is told."""
        self._request = request
        self._owed: deque[str] = deque()
        self._wake = asyncio.Event()
        self._stalled_until_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._writer = asyncio.create_task(self._write())

    def send(self, frame: str) -> None:
        if self._loop.time() < self._stalled_until_s:
            return
        if len(self._owed) >= _BACKLOG_MAX:
            self.cut()
            return
        self._owed.append(frame)
        self._wake.set()

    def stall(self, for_s: float) -> None:
        self._stalled_until_s = self._loop.time() + for_s

    def cut(self) -> None:
        """The connection breaks without a word, as a network does."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    async def close(self, code: int = 1001) -> None:
        """Says goodbye, without waiting long for the answer."""
        await self.stop()
        await self.socket.close(code=code)

    async def stop(self) -> None:
        await end_tasks((self._writer,))

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._owed:
                try:
                    await self.socket.send_str(self._owed.popleft())
                except ConnectionError:
                    return
