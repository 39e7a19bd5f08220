"""Questions to an exchange: repeated with growing pauses where that may help, and never an empty answer by mistake."""

from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.breaker import Breaker
from services.exchanges.ccxt_exchange.instance import Answer, listening
from services.exchanges.ccxt_exchange.outcomes import absence_ms, is_no_answer, line_of, quiet_ms, words_of
from services.messages import KeysRefused, QueryFailed

ATTEMPTS = 3
_PATIENCE_S = 25.0


class NotThere(Exception):
    """This source says that it has no such order."""


class _AskAgain(Exception):
    """An attempt that failed in a way that the next may not."""


class Questions:
    """Asks through one breaker. Orders never go this way: what is repeated must change nothing."""

    def __init__(
        self, breaker: Breaker, on_clock_fault: Callable[[], None], now_ms: Callable[[], int]
    ) -> None:
        self.pause_s = 0.2
        """Before the first repetition; it doubles, and a random part of it is added."""
        self._breaker = breaker
        self._on_clock_fault = on_clock_fault
        self._now_ms = now_ms

    async def ask(
        self,
        what: str,
        call: Callable[..., Awaitable[Any]],
        *arguments: Any,
        wants: tuple[type, ...] = (dict, list),
        may_be_empty: bool = False,
        **named: Any,
    ) -> Any:
        """The answer, whose last JSON on the wire was one of `wants`. Raises QueryFailed or NotThere."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_AskAgain),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(_PATIENCE_S),
            wait=wait_exponential(multiplier=self.pause_s, max=3.0) + wait_random(0.0, self.pause_s),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    answer = await self._attempt(what, wants, may_be_empty, lambda: call(*arguments, **named))
        except _AskAgain as fault:
            raise QueryFailed(f"{what}: {fault}") from fault.__cause__
        return answer

    async def once(self, what: str, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """As `ask`, without a second attempt."""
        try:
            return await self._attempt(what, (dict, list, int, float), True, lambda: call(*arguments))
        except _AskAgain as fault:
            raise QueryFailed(f"{what}: {fault}") from fault.__cause__

    async def _attempt(
        self, what: str, wants: tuple[type, ...], may_be_empty: bool, call: Callable[[], Awaitable[Any]]
    ) -> Any:
        refusal = self._breaker.refusal()
        if refusal:
            raise QueryFailed(f"{what}: {refusal}")
        with listening() as answer:
            try:
                result = await call()
            except Exception as error:  # ccxt's parsers raise anything over a garbled answer
                self._weigh(what, error, answer, wants)
        if answer.requests and not _is_shaped(answer.body, wants, may_be_empty):
            self._breaker.note_failure(f"{what}: not an answer")
            raise _AskAgain(f"the answer was {line_of(str(answer.body))[:80]!r}")
        self._breaker.note_answer()
        return result

    def _weigh(self, what: str, error: Exception, answer: Answer, wants: tuple[type, ...]) -> None:
        """Raises what the error means; never returns.

        That an order is not there counts when the exchange said so: not when a parser found none in a garbled answer.
        """
        pause_ms = quiet_ms(answer, self._now_ms())
        words = words_of(error)
        if pause_ms is not None:
            self._breaker.keep_quiet(pause_ms, words)
            raise QueryFailed(f"{what}: {words}") from error
        errors = library.errors()
        is_said = answer.status < 500 and (answer.body is None or _is_shaped(answer.body, wants, False))
        if isinstance(error, errors.OrderNotFound):
            if not is_said:
                raise _AskAgain(words) from error
            self._breaker.note_answer()
            raise NotThere(words) from error
        if isinstance(error, errors.InvalidNonce):
            self._breaker.note_answer()  # else the question for the time finds the circuit's one probe taken
            self._on_clock_fault()
            raise _AskAgain(words) from error
        failure = KeysRefused if isinstance(error, errors.AuthenticationError) else QueryFailed
        if not answer.requests:
            raise failure(f"{what}: not asked: {words}") from error
        if is_no_answer(error, answer):
            away_ms = absence_ms(answer, self._now_ms())
            is_grave = isinstance(error, errors.OnMaintenance)
            self._breaker.note_failure(words, is_grave=is_grave, pause_ms=away_ms)
            logger.bind(event="question_failed", question=what, error=words).debug("question_failed")
            raise _AskAgain(words) from error
        self._breaker.note_answer()
        raise failure(f"{what}: {words}") from error


def _is_shaped(body: object, wants: tuple[type, ...], may_be_empty: bool) -> bool:
    """Empty lists are answers to questions for lists; an empty object is none to any."""
    return isinstance(body, wants) and (bool(body) or (may_be_empty and isinstance(body, list)))
