"""One ccxt exchange object with manners: it stays closed, paces by urgency, and remembers what it was answered."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Context, localcontext
from functools import cache
from typing import Any

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.throttle import PriorityThrottle


@dataclass(slots=True)
class Answer:
    """What happened on the wire during one call, and to no other. `status` is the last HTTP status, 0 for none."""

    requests: int = 0
    writes: int = 0
    """Of these, the ones that may change something: all but GET."""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """The last answer as it came: JSON, or text that is none."""


_DECIMALS = Context(prec=60)

_answer: ContextVar[Answer | None] = ContextVar("answer", default=None)


@contextmanager
def listening() -> Iterator[Answer]:
    """The answer of the calls made inside the block; ccxt's own record is shared by all calls of an instance.

    ccxt rounds in the thread's decimal context and changes it for good: inside the block it has one of its own.
    """
    answer = Answer()
    token = _answer.set(answer)
    try:
        with localcontext(_DECIMALS):
            yield answer
    finally:
        _answer.reset(token)


class GrowingNonces:
    """Numbers that only grow, over both instances of one exchange."""

    def __init__(self) -> None:
        self.last = 0

    def next(self, wanted: int) -> int:
        self.last = max(self.last + 1, wanted)
        return self.last


class _Manners:
    """Goes before the exchange's class; its names are ccxt's where it overrides, and ours begin with `dirigent_`.

    `super()` is ccxt's class, which is known at run time alone: mypy cannot see it.
    """

    dirigent_is_closed = False
    dirigent_nonces: GrowingNonces | None = None

    def open(self: Any, lazy: bool = False) -> None:
        if self.dirigent_is_closed:
            raise library.errors().ExchangeClosedByUser(f"{self.id} is closed")
        super().open(lazy)  # type: ignore[misc]  # ccxt's

    async def close(self: Any, *arguments: Any, **named: Any) -> None:
        self.dirigent_is_closed = True
        self.throttler.close(library.errors().ExchangeClosedByUser(f"{self.id} is closed"))
        await super().close(*arguments, **named)  # type: ignore[misc]  # ccxt's

    def client(self: Any, url: str) -> Any:
        if self.dirigent_is_closed:
            raise library.errors().ExchangeClosedByUser(f"{self.id} is closed")
        return super().client(url)  # type: ignore[misc]  # ccxt's

    def init_throttler(self: Any, cost: Any = None) -> None:
        self.throttler = PriorityThrottle(self.tokenBucket)

    def nonce(self: Any) -> Any:
        number = super().nonce()  # type: ignore[misc]  # ccxt's
        return number if self.dirigent_nonces is None else self.dirigent_nonces.next(int(number))

    async def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        self.open(True)
        answer = _answer.get()
        if answer is not None:
            answer.requests += 1
            answer.writes += method != "GET"
            answer.status, answer.headers, answer.body = 0, {}, None
        body = await super().fetch(url, method, headers, body)  # type: ignore[misc]  # ccxt's
        if answer is not None:
            answer.body = body
        return body

    def on_rest_response(
        self: Any, code: int, reason: str, url: str, method: str, headers: Any, *rest: Any
    ) -> Any:
        answer = _answer.get()
        if answer is not None:
            answer.status, answer.headers = int(code), dict(headers)
        return super().on_rest_response(code, reason, url, method, headers, *rest)  # type: ignore[misc]  # ccxt's


@cache
def mannered_class(exchange_id: str) -> Any:
    exchange = library.exchange_class(exchange_id)
    return type(exchange_id, (_Manners, exchange), {"__module__": __name__})
