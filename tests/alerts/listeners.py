"""Channels of the tests: real HTTP servers on the loopback that take a message, refuse it, or never answer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "notarealtoken0123456789"
"""Stands in every address."""


@dataclass
class Listener:
    """`status` is what it answers with; while `is_deaf` it answers nothing."""

    status: int = 200
    is_deaf: bool = False
    port: int = 0
    messages: list[dict[str, str]] = field(default_factory=list)
    """What it took, in order."""
    asked: int = 0
    heard: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/{TOKEN}?rto=30"

    @property
    def bodies(self) -> str:
        return "\n".join(message["message"] for message in self.messages)


@contextmanager
def listening(listener: Listener) -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.asked += 1
            listener.heard.set()
            if listener.is_deaf:
                listener.over.wait(60)
                return
            if listener.status == 200:
                listener.messages.append(json.loads(body))
            self.send_response(listener.status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener
    finally:
        listener.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
