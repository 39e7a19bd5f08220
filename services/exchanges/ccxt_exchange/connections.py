"""The websocket connections of one ccxt instance: whom each serves, what broke it, and how it is made anew.

ccxt loses track of a connection in ways that raise nothing: a frame that its parser chokes on ends the receive
loop for good, a failed read leaves a dead connection registered, a drop while nobody waits is not told to anybody.
Here each of these is noticed, by hooks on the one instance; its classes stay as they are.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from loguru import logger

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.outcomes import words_of

KEEP_ALIVE_MS = 10_000
"""How often a connection is pinged at least; two pongs that miss end it. Binance's usual 180 s are long for that."""
DIAL_PAUSE_MAX_S = 0.5
"""ccxt lets its own pause between dials grow to 30 s; the pace is kept by `Dials`, which can be hurried."""
DIALED_WITHIN_MS = 5_000
"""What a dial may take at most; ccxt's usual ten seconds are twice what a recovery may take."""
FAULTY_FRAMES_MAX = 20
"""So many unreadable frames in a row, and the connection is made anew."""

_serving: ContextVar[str] = ContextVar("serving", default="")


def serve(name: str) -> None:
    """From here on the connections that this task asks for are known under this name."""
    _serving.set(name)


@dataclass(slots=True)
class Connections:
    """Watches the connections of one exchange instance of `ccxt.pro`, which must not have opened any yet."""

    exchange: Any
    faulty_frames: int = 0
    connects: int = 0
    _of: dict[str, Any] = field(default_factory=dict)
    _connected: list[Callable[[Any], None]] = field(default_factory=list)
    _heard: list[Callable[[Any], None]] = field(default_factory=list)
    _lost: list[Callable[[Any], None]] = field(default_factory=list)
    _misread: list[Callable[[Any], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        exchange = self.exchange
        exchange.streaming = {**(exchange.streaming or {})}
        usual_ms = exchange.streaming.get("keepAlive") or KEEP_ALIVE_MS
        exchange.streaming["keepAlive"] = min(usual_ms, KEEP_ALIVE_MS)
        exchange.streaming.setdefault("connectionTimeout", DIALED_WITHIN_MS)
        for name, hook in (
            ("client", self._client),
            ("on_connected", self._on_connected),
            ("on_error", self._on_error),
            ("on_close", self._on_close),
        ):
            setattr(exchange, name, _bound(hook, getattr(exchange, name)))

    def when_connected(self, call: Callable[[Any], None]) -> None:
        self._connected.append(call)

    def when_heard(self, call: Callable[[Any], None]) -> None:
        """The first readable message of a new connection: it is one that works."""
        self._heard.append(call)

    def when_lost(self, call: Callable[[Any], None]) -> None:
        self._lost.append(call)

    def when_misread(self, call: Callable[[Any], None]) -> None:
        """Something arrived that could not be read: what it said is lost."""
        self._misread.append(call)

    def of(self, name: str) -> Any | None:
        """The connection that serves this name, if it is still in use."""
        client = self._of.get(name)
        return client if client is not None and self.is_in_use(client) else None

    def url_of(self, name: str) -> str:
        """Where this name was served last, by a connection that may be gone; the name itself before the first."""
        client = self._of.get(name)
        return name if client is None else str(client.url)

    def is_in_use(self, client: Any) -> bool:
        clients = self.exchange.clients or {}
        return clients.get(client.url) is client

    def make_anew(self, client: Any, why: str) -> bool:
        """Ends this connection alone; who waits on it gets a NetworkError, and the next wait opens a new one."""
        if not self.is_in_use(client):
            return False
        logger.bind(event="connection_made_anew", url=_told(client.url), reason=why).warning(
            "connection_made_anew"
        )
        client.on_error(library.errors().NetworkError(why))
        return True

    def _client(self, usual: Callable[[str], Any], url: str) -> Any:
        client = usual(url)
        name = _serving.get()
        if name:
            self._of[name] = client
        if not getattr(client, "is_guarded", False):
            client.is_guarded = True
            self._guard(client)
        return client

    def _guard(self, client: Any) -> None:
        """A frame that cannot be read is counted and left out; those after it are read. Errors that ccxt keeps for
        somebody who does not wait, as for a second sign-in, are told to nobody: asyncio would write them to stderr.
        """
        usual_reject = client.reject

        def reject(result: Any, message_hash: str | None = None) -> Any:
            future = client.futures.get(message_hash)
            answer = usual_reject(result, message_hash)
            if future is not None and future.done() and not future.cancelled():
                future.exception()
            return answer

        client.reject = reject
        usual = client.handle_message
        in_a_row, is_new = 0, True

        def handle_message(message: Any) -> None:
            nonlocal in_a_row, is_new
            try:
                usual(message)
                in_a_row = 0
                if is_new:
                    is_new = False
                    self._tell_heard(client)
            except Exception as error:  # a parser may choke on anything, and must not take the loop with it
                in_a_row += 1
                self.faulty_frames += 1
                if in_a_row == 1:
                    logger.bind(event="frame_not_read", url=_told(client.url), error=words_of(error)).warning(
                        "frame_not_read"
                    )
                for call in self._misread:
                    call(client)
                if in_a_row == FAULTY_FRAMES_MAX:
                    self.make_anew(client, f"{in_a_row} frames in a row could not be read")

        client.handle_message = handle_message

    def _on_connected(self, usual: Callable[..., None], client: Any, message: Any = None) -> None:
        usual(client, message)
        self.connects += 1
        for call in self._connected:
            call(client)

    def _on_error(self, usual: Callable[..., None], client: Any, error: Any) -> None:
        usual(client, error)
        self._shorten_dial_pause(client)
        self._tell_lost(client)

    def _on_close(self, usual: Callable[..., None], client: Any, error: Any) -> None:
        usual(client, error)
        self._tell_lost(client)

    def _tell_heard(self, client: Any) -> None:
        """Not of its end, which is a message too."""
        if self.is_in_use(client):
            for call in self._heard:
                call(client)

    def _tell_lost(self, client: Any) -> None:
        for call in self._lost:
            call(client)

    def _shorten_dial_pause(self, client: Any) -> None:
        """Unless the exchange itself said how long to stay away."""
        pauses = getattr(self.exchange, "ws_dial_backoff", None) or {}
        pause = pauses.get(client.url)
        if pause is not None and client.last_retry_after is None:
            latest_ms = self.exchange.milliseconds() + int(DIAL_PAUSE_MAX_S * 1000)
            pause["until"] = min(pause["until"], latest_ms)


def _told(url: str) -> str:
    """Without what follows the path: some exchanges let whoever names the token there read the account."""
    return url.partition("?")[0]


def _bound(hook: Callable[..., Any], usual: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        return hook(usual, *given)

    return call
